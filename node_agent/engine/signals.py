"""Waiting for something to become true, without polling."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


class Changed:
    """Those who change state call ``notify``; those who wait state what they wait for."""

    def __init__(self) -> None:
        self._event = asyncio.Event()

    def notify(self) -> None:
        """Have every waiter look again."""
        self._event.set()
        self._event = asyncio.Event()

    async def until(self, predicate: Callable[[], T | bool | None]) -> T:
        """Wait until ``predicate()`` is neither None nor False, and return it."""
        while True:
            event = self._event
            value = predicate()
            if value is not None and value is not False:
                return value  # type: ignore[return-value]  # T | True, as the caller asked for
            await event.wait()


async def unless(wanted: Coroutine[Any, Any, T], guard: Coroutine[Any, Any, Any]) -> T:
    """The result of ``wanted``, unless ``guard`` raises first; neither goes on afterwards."""
    tasks = asyncio.ensure_future(wanted), asyncio.ensure_future(guard)
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        if not tasks[0].done():
            tasks[1].result()
        return await tasks[0]
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def alongside(wanted: Coroutine[Any, Any, T], work: asyncio.Future[Any]) -> T:
    """The result of ``wanted``; what ``work`` raises meanwhile is raised, what it returns is not.

    ``work`` goes on.
    """
    task = asyncio.ensure_future(wanted)
    try:
        await asyncio.wait({task, work}, return_when=asyncio.FIRST_COMPLETED)
        if work.done():
            work.result()
        return await task
    finally:
        task.cancel()
        await asyncio.wait({task})


async def end(work: asyncio.Future[Any]) -> None:
    """Cancel, and wait until it has ended."""
    work.cancel()
    await asyncio.wait({work})
