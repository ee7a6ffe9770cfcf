"""Transactions. Every access to the database is one function that takes a Session first."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, Concatenate, ParamSpec, TypeVar

import sqlalchemy as sa
from sqlalchemy.orm import Session

P = ParamSpec("P")
T = TypeVar("T")

# How long a writer waits for another one before it gives up.
_BUSY_TIMEOUT_MS = 10_000


class Database:
    """Runs functions in transactions, in threads, so that the event loop never waits for a disk.

    What such a function returns must not be a row that still needs its session: return values,
    dicts or dataclasses.
    """

    def __init__(self, url: str) -> None:
        self.engine = _engine(url)
        # A transaction that will write says so at its start: one that turns from reading to
        # writing in its middle would fail whenever another writer came in between.
        self._writing = self.engine.execution_options(sqlite_begin="BEGIN IMMEDIATE")

    async def read(
        self, function: Callable[Concatenate[Session, P], T], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """Runs `function(session, …)` in a transaction that changes nothing."""
        return await asyncio.to_thread(lambda: self.read_now(function, *args, **kwargs))

    async def write(
        self, function: Callable[Concatenate[Session, P], T], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """Runs `function(session, …)` and commits, or rolls back if it raises."""
        return await asyncio.to_thread(lambda: self.write_now(function, *args, **kwargs))

    def read_now(
        self, function: Callable[Concatenate[Session, P], T], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """`read`, for callers outside the event loop."""
        with Session(self.engine) as session:
            return function(session, *args, **kwargs)

    def write_now(
        self, function: Callable[Concatenate[Session, P], T], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """`write`, for callers outside the event loop."""
        with Session(self._writing) as session, session.begin():
            return function(session, *args, **kwargs)

    def close(self) -> None:
        self.engine.dispose()


def _engine(url: str) -> sa.Engine:
    engine = sa.create_engine(url)
    if engine.dialect.name == "sqlite":
        sa.event.listen(engine, "connect", _prepare_sqlite)
        sa.event.listen(engine, "begin", _begin_sqlite)
    return engine


def _prepare_sqlite(connection: Any, _record: Any) -> None:
    # The driver's own idea of when a transaction begins is switched off: see _begin_sqlite.
    connection.isolation_level = None
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("PRAGMA foreign_keys = ON")
    connection.execute(f"PRAGMA busy_timeout = {_BUSY_TIMEOUT_MS}")


def _begin_sqlite(connection: sa.Connection) -> None:
    connection.exec_driver_sql(connection.get_execution_options().get("sqlite_begin", "BEGIN"))
