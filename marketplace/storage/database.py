"""Transactions. Every access to the database is one function that takes a Session first."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, Concatenate, ParamSpec, TypeVar

import sqlalchemy as sa
from sqlalchemy.orm import Session

from marketplace.errors import SettingsError
from marketplace.storage.changes import Change, Changes, name_of

P = ParamSpec("P")
T = TypeVar("T")

BeforeCommit = Callable[[Session, str, tuple[Change, ...]], None]

# PostgreSQL's advisory locks are numbers; these are ours.
WRITERS_LOCK = 0x5357_0001
# How long a writer waits for another one before it gives up.
_BUSY_TIMEOUT_MS = 10_000


class Database:
    """Runs functions in transactions, in threads, so that the event loop never waits for a disk.

    What such a function returns must not be a row that still needs its session: return values,
    dicts or dataclasses.

    Writers come one after the other, on SQLite and on PostgreSQL, in all processes together: what a
    function has read stays true until it commits. Readers see one moment, and wait for nobody.

    Args:
        url: `sqlite:///path` or `postgresql://…`.
        before_commit: runs in every writing transaction that changed something, as its last part;
            gets the session, the function's name, and what was changed.

    Raises:
        SettingsError: the URL is none, or of a database whose driver is not installed.
    """

    def __init__(self, url: str, before_commit: BeforeCommit | None = None) -> None:
        self.engine = engine_of(url)
        self._before_commit = before_commit
        if self.engine.dialect.name == "sqlite":
            # A transaction that will write says so at its start: one that turns from reading to
            # writing in its middle would fail whenever another writer came in between.
            self._reading = self.engine
            self._writing = self.engine.execution_options(sqlite_begin="BEGIN IMMEDIATE")
        else:
            self._reading = self.engine.execution_options(
                isolation_level="REPEATABLE READ", postgresql_readonly=True
            )
            self._writing = self.engine.execution_options(isolation_level="READ COMMITTED")

    @property
    def is_shared(self) -> bool:
        """Whether several processes may serve from it."""
        return self.engine.dialect.name != "sqlite"

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

    async def take(
        self, function: Callable[Concatenate[Session, P], T], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """`write` beside other writers, for a function that locks the rows which it changes.

        It decides nothing but who works on what, so nothing is recorded about it.
        """
        return await asyncio.to_thread(lambda: self.take_now(function, *args, **kwargs))

    def read_now(
        self, function: Callable[Concatenate[Session, P], T], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """`read`, for callers outside the event loop."""
        with Session(self._reading) as session:
            return function(session, *args, **kwargs)

    def write_now(
        self, function: Callable[Concatenate[Session, P], T], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """`write`, for callers outside the event loop."""
        with Session(self._writing) as session, session.begin():
            self._wait_for_turn(session)
            changes = Changes(session)
            result = function(session, *args, **kwargs)
            session.flush()
            if changes.found and self._before_commit is not None:
                self._before_commit(session, name_of(function), tuple(changes.found))
            return result

    def take_now(
        self, function: Callable[Concatenate[Session, P], T], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """`take`, for callers outside the event loop."""
        with Session(self._writing) as session, session.begin():
            return function(session, *args, **kwargs)

    def close(self) -> None:
        self.engine.dispose()

    def _wait_for_turn(self, session: Session) -> None:
        if self.is_shared:
            session.execute(sa.text(f"SET LOCAL lock_timeout = {_BUSY_TIMEOUT_MS}"))
            session.execute(sa.text(f"SELECT pg_advisory_xact_lock({WRITERS_LOCK})"))


def engine_of(url: str) -> sa.Engine:
    """Connects to nothing yet. Raises SettingsError."""
    try:
        given = sa.make_url(url)
        if given.drivername in ("postgresql", "postgres"):
            given = given.set(drivername="postgresql+psycopg")
        if given.get_backend_name() not in ("sqlite", "postgresql"):
            raise SettingsError(
                f"database_url names {given.get_backend_name()}",
                hint="sqlite:///path or postgresql://user@host/database",
            )
        # A server that was restarted meanwhile has closed the connections that we keep.
        engine = sa.create_engine(given, pool_pre_ping=given.get_backend_name() != "sqlite")
    except sa.exc.ArgumentError as error:
        raise SettingsError(
            "database_url is no URL", hint="sqlite:///path or postgresql://user@host/database"
        ) from error
    except ModuleNotFoundError as error:
        raise SettingsError(
            f"no driver for PostgreSQL: {error}", hint="install swarm-marketplace[postgres]"
        ) from error
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
