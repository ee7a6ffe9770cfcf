"""Word of changes, by server-sent events: open pages fetch themselves anew when there is any.

One look at the database serves all listeners of a process, half a second apart and only while
there are any: other processes write to the same database, and not every database sends word.
"""

from __future__ import annotations

import asyncio
import hashlib
import itertools
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import aclosing, suppress

import sqlalchemy as sa
from fastapi import APIRouter, Request
from fastapi.responses import StreamingResponse
from sqlalchemy.orm import Session

from marketplace.app import Market
from marketplace.storage.database import Database
from marketplace.storage.models import (
    Comment,
    DraftVersion,
    Enrollment,
    Event,
    Motion,
    MotionVote,
    Negotiation,
    NodeStatus,
    Operation,
    Party,
    Rejection,
    VersionSignature,
)
from marketplace.storage.models.announcements import Announcement
from marketplace.web.callers import CallerOf, MarketOf

router = APIRouter(include_in_schema=False)

LOOK_EVERY_S = 0.5
_BREATH_S = 15.0  # so that a dead connection is noticed, here and by proxies
_LISTENERS = 500
_TURN_S = 0.1  # twice what a page of fifty nodes takes
_HEARD_EVERY_S = 15
_TIME_EVERY_S = 60


class Changes:
    """The present version of everything that pages show, for any number of listeners."""

    def __init__(
        self, database: Database, clock: Callable[[], int], stopping: Callable[[], bool]
    ) -> None:
        self._database, self._clock, self._stopping = database, clock, stopping
        self._changed = asyncio.Condition()
        self._version = ""
        self._listeners = 0
        self._turns = itertools.count()
        self._watching: asyncio.Task[None] | None = None

    @property
    def full(self) -> bool:
        return self._listeners >= _LISTENERS

    async def versions(self) -> AsyncGenerator[str | None, None]:
        """The version, whenever it changes; None now and then while it does not.

        Who is told asks for his page anew. So that they do not all ask at once, and others wait,
        each is told in his turn, and of what is the version by then.
        """
        self._listeners += 1
        try:
            seen = ""
            while not self._stopping():
                if self._watching is None or self._watching.done():
                    self._watching = asyncio.create_task(self._watch(), name="changes")
                told = await self._wait(_BREATH_S, seen)
                if told and seen:
                    turn_s = next(self._turns) % self._listeners * _TURN_S
                    await self._wait(min(turn_s, _BREATH_S))
                if not self._stopping():  # or the server would wait for us
                    seen = self._version
                    yield seen if told else None
        finally:
            self._listeners -= 1

    async def _wait(self, most_s: float, seen: str | None = None) -> bool:
        """Whether there is another version than that which was seen, or the server ends."""

        def over() -> bool:
            return self._stopping() or seen not in (None, self._version)

        async with self._changed:
            with suppress(TimeoutError):
                async with asyncio.timeout(most_s):
                    await self._changed.wait_for(over)
            return over()

    async def _watch(self) -> None:
        while self._listeners:
            found = await self._database.read(version, self._clock())
            if found != self._version or self._stopping():
                async with self._changed:
                    self._version = found
                    self._changed.notify_all()
            await asyncio.sleep(LOOK_EVERY_S)


@router.get("/api/live")
async def live(request: Request, caller: CallerOf, market: MarketOf) -> StreamingResponse:
    """`event: changed` with a word that is different whenever any page might be."""
    if not caller.sees_all:
        _ = caller.signed_in
    changes = _changes(request, market)
    headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
    if changes.full:
        # A browser that is told so asks again by itself, a while later.
        return StreamingResponse(iter(()), 204, headers=headers)
    return StreamingResponse(_stream(changes), media_type="text/event-stream", headers=headers)


async def _stream(changes: Changes) -> AsyncIterator[str]:
    async with aclosing(changes.versions()) as versions:
        async for found in versions:
            yield ": still here\n\n" if found is None else f"event: changed\ndata: {found}\n\n"


def _changes(request: Request, market: Market) -> Changes:
    state = request.app.state
    if not hasattr(state, "changes"):
        state.changes = Changes(market.database, market.clock, state.stopping)
    found: Changes = state.changes
    return found


def version(session: Session, now_s: int) -> str:
    """A word that changes when any page might.

    Each node is heard of every minute, and many of them all the time: what they say is seen on open
    pages a few times a minute, what time alone changes (who is silent, what is over) once.
    """
    last = sa.select(Event.id, Event.block_hash).order_by(Event.id.desc()).limit(1).subquery()
    parts = session.execute(
        sa.select(
            # After a reorganization the last event is another one, or of another block.
            sa.select(last.c.id).scalar_subquery(),
            sa.select(last.c.block_hash).scalar_subquery(),
            sa.select(sa.func.count(NodeStatus.spiffe_id)).scalar_subquery(),
            sa.select(sa.func.max(NodeStatus.received_s) // _HEARD_EVERY_S).scalar_subquery(),
            sa.select(sa.func.count(Party.signature)).scalar_subquery(),
            sa.select(sa.func.count(Party.number)).scalar_subquery(),
            sa.select(sa.func.sum(Operation.attempts)).scalar_subquery(),
            sa.select(sa.func.max(Operation.updated_s)).scalar_subquery(),
            sa.select(sa.func.max(Negotiation.updated_s)).scalar_subquery(),
            sa.select(sa.func.count(Comment.id)).scalar_subquery(),
            sa.select(sa.func.count(DraftVersion.number)).scalar_subquery(),
            sa.select(sa.func.count(VersionSignature.party)).scalar_subquery(),
            sa.select(sa.func.count(MotionVote.party)).scalar_subquery(),
            sa.select(sa.func.count(Motion.id)).scalar_subquery(),
            sa.select(sa.func.count(Motion.withdrawn_s)).scalar_subquery(),
            sa.select(sa.func.count(Enrollment.key_signature)).scalar_subquery(),
            sa.select(sa.func.count(Rejection.enrollment_id)).scalar_subquery(),
            sa.select(sa.func.max(Announcement.number)).scalar_subquery(),  # time brings some
        )
    ).one()
    return hashlib.sha256(repr((*parts, now_s // _TIME_EVERY_S)).encode()).hexdigest()[:16]
