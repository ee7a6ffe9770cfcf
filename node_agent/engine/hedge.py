"""Asking one source after the other, without being held up by one that never answers."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from typing import Any


async def first_success(
    attempts: Sequence[Callable[[], Coroutine[Any, Any, bool]]], patience_s: float
) -> bool:
    """Start attempts in their order until one returns True; False when none has.

    The next is started when one fails, or beside the others when nothing came in ``patience_s``.
    """
    running: set[asyncio.Task[bool]] = set()
    waiting = list(attempts)
    try:
        while waiting or running:
            if waiting:
                running.add(asyncio.ensure_future(waiting.pop(0)()))
            done, running = await asyncio.wait(
                running,
                timeout=patience_s if waiting else None,
                return_when=asyncio.FIRST_COMPLETED,
            )
            if any(task.result() for task in done):
                return True
        return False
    finally:
        for task in running:
            task.cancel()
