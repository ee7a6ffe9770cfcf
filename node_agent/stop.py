"""Stopping on a signal, so that what is open is closed."""

from __future__ import annotations

import asyncio
import logging
import signal
from collections.abc import Coroutine
from typing import Any

log = logging.getLogger(__name__)


async def until_told(work: Coroutine[Any, Any, None]) -> None:
    """Does the work until it is done, or SIGTERM comes: then it is cancelled, which is no error."""
    task = asyncio.ensure_future(work)
    told = False

    def stop() -> None:
        nonlocal told
        told = True
        task.cancel()

    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGTERM, stop)
    try:
        await task
    except asyncio.CancelledError:
        if not told:
            raise
        log.info("stopped")
    finally:
        loop.remove_signal_handler(signal.SIGTERM)
