"""Renews what expires at half of its life, and goes on trying while the marketplace is away."""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable

from node_agent.errors import NodeError

log = logging.getLogger(__name__)

Clock = Callable[[], float]  # unix seconds

FIRST_RETRY_S = 5.0
LAST_RETRY_S = 600.0
LONGEST_NAP_S = 60.0


async def renew_at_half_life(
    what: str,
    life: Callable[[], tuple[float, float]],
    renew: Callable[[], Awaitable[None]],
    clock: Clock,
) -> None:
    """Calls `renew` whenever half of a life is over, until it is cancelled.

    After a NodeError it tries again, with growing and jittered pauses: what remains is half of the
    life, so an outage of hours stops nobody.

    Args:
        what: the thing that is renewed, for the log.
        life: from when to when the present one is valid, in unix seconds.
        renew: replaces the present one, so that `life` says something new.
        clock: the time.
    """
    retry_s = FIRST_RETRY_S
    due_s = sum(life()) / 2
    while True:
        await _sleep_until(due_s, clock)
        try:
            await renew()
        except NodeError as error:
            pause_s = retry_s * random.uniform(0.5, 1.0)  # a returning marketplace is not overrun
            log.warning("%s is not renewed, next try in %.0f s: %s", what, pause_s, error)
            due_s, retry_s = clock() + pause_s, min(2 * retry_s, LAST_RETRY_S)
        else:
            due_s, retry_s = max(sum(life()) / 2, clock() + FIRST_RETRY_S), FIRST_RETRY_S


async def _sleep_until(due_s: float, clock: Clock) -> None:
    # In naps: the event loop's clock stands still while the machine is suspended, lives do not.
    while (left_s := due_s - clock()) > 0:  # noqa: ASYNC110 - no event says what time it is
        await asyncio.sleep(min(left_s, LONGEST_NAP_S))
