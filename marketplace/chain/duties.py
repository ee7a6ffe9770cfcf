"""Work that one process at a time does: reading the chain, posting with one key.

On PostgreSQL whoever holds an advisory lock is on duty. The server lets it go the moment that the
process, or its connection, is gone, and another one takes over: no clock decides, nothing has to
lapse. On SQLite there is one process, see `storage.alone`, and it has all duties.

A process that loses its connection stops within `CHECK_S`. Should its last step overlap with the
first of the one that took over, then nothing happens twice either: events are kept once, and the
contracts take each posting once.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
from collections.abc import Awaitable, Callable

import sqlalchemy as sa

from marketplace.storage.database import Database

_LOG = logging.getLogger(__name__)
CHECK_S = 1.0
_ANSWER_S = 5.0


class Duties:
    """The duties of this process."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._mine: set[str] = set()

    def holds(self, name: str) -> bool:
        """Whether this process is on a duty at the moment."""
        return name in self._mine

    async def keep(self, name: str, work: Callable[[], Awaitable[None]]) -> None:
        """Does a work whenever this process is on duty for it, until it is cancelled.

        Ends, with the work's error if there is one, when the work ends by itself.
        """
        if not self._database.is_shared:
            self._mine.add(name)
            await work()
            return
        told = False
        while True:
            connection = await self._take(name)
            if connection is not None:
                try:
                    if await self._on_duty(name, connection, work):
                        return
                finally:
                    self._mine.discard(name)
                    # Ends the session at the server, and the lock with it.
                    await asyncio.to_thread(connection.invalidate)
                    await asyncio.to_thread(connection.close)
            elif not told:
                _LOG.info("another process is on duty for: %s", name)
                told = True
            await asyncio.sleep(CHECK_S)  # PostgreSQL tells nobody that a lock became free

    async def _on_duty(
        self, name: str, connection: sa.Connection, work: Callable[[], Awaitable[None]]
    ) -> bool:
        """Works until the work ends (True) or the lock is lost (False)."""
        _LOG.info("on duty: %s", name)
        self._mine.add(name)
        task = asyncio.ensure_future(work())
        try:
            while not (await asyncio.wait([task], timeout=CHECK_S))[0]:
                if not await _answers(connection):
                    _LOG.warning("the database went away, so no longer on duty: %s", name)
                    return False
            await task
            return True
        finally:
            task.cancel()
            await asyncio.wait([task])

    async def _take(self, name: str) -> sa.Connection | None:
        try:
            return await asyncio.to_thread(self._take_now, name)
        except sa.exc.DBAPIError as error:
            _LOG.warning("no word from the database on who does this: %s: %s", name, error.orig)
            return None

    def _take_now(self, name: str) -> sa.Connection | None:
        number = int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "big", signed=True)
        connection = self._database.engine.connect().execution_options(isolation_level="AUTOCOMMIT")
        if connection.scalar(sa.text(f"SELECT pg_try_advisory_lock({number})")):
            return connection
        connection.close()
        return None


async def _answers(connection: sa.Connection) -> bool:
    def ask() -> bool:
        return bool(connection.scalar(sa.text("SELECT 1")))

    try:
        return await asyncio.wait_for(asyncio.to_thread(ask), _ANSWER_S)
    except (sa.exc.DBAPIError, TimeoutError):
        return False
