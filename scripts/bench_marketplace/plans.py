"""What a page asks the database, and how PostgreSQL goes about the slowest of it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx
import sqlalchemy as sa
from fastapi import FastAPI

from marketplace.app import Market


@dataclass(slots=True)
class Asked:
    """One statement that was executed."""

    statement: str
    parameters: Any
    took_ms: float


@dataclass(slots=True)
class Work:
    """What one request cost the database."""

    queries: int
    queries_ms: float
    slowest_ms: float
    slowest: str
    plan: list[str] = field(default_factory=list)


async def work_of(market: Market, app: FastAPI, path: str, token: str) -> Work:
    """Has the application answer once, in this process, and looks at what it asks."""
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
        headers = {"Authorization": f"Bearer {token}"}
        await client.get(path, headers=headers)  # what is compiled once does not count
        with _listening(market.database.engine) as asked:
            answer = await client.get(path, headers=headers)
    if answer.status_code != 200:
        raise RuntimeError(f"{path}: {answer.status_code}: {answer.text[:300]}")
    if not asked:
        return Work(0, 0.0, 0.0, "")
    slowest = max(asked, key=lambda each: each.took_ms)
    return Work(
        len(asked),
        sum(each.took_ms for each in asked),
        slowest.took_ms,
        slowest.statement,
        _plan(market.database.engine, slowest),
    )


@contextmanager
def _listening(engine: sa.Engine) -> Iterator[list[Asked]]:
    asked: list[Asked] = []

    def before(
        _connection: Any, _cursor: Any, _text: str, _given: Any, context: Any, _: bool
    ) -> None:
        context.began_s = time.perf_counter()

    def after(
        _connection: Any, _cursor: Any, text: str, given: Any, context: Any, _many: bool
    ) -> None:
        asked.append(Asked(text, given, 1_000 * (time.perf_counter() - context.began_s)))

    sa.event.listen(engine, "before_cursor_execute", before)
    sa.event.listen(engine, "after_cursor_execute", after)
    try:
        yield asked
    finally:
        sa.event.remove(engine, "before_cursor_execute", before)
        sa.event.remove(engine, "after_cursor_execute", after)


def _plan(engine: sa.Engine, asked: Asked) -> list[str]:
    with engine.connect() as connection:
        rows = connection.exec_driver_sql(
            f"EXPLAIN (ANALYZE, BUFFERS) {asked.statement}", asked.parameters
        )
        return [str(row[0]) for row in rows]
