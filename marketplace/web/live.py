"""Word of changes, by server-sent events: open pages fetch themselves anew when there is any.

One look at the database serves all listeners of a process, half a second apart and only while
there are any: other processes write to the same database, and not every database sends word.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator, Callable
from contextlib import suppress

import sqlalchemy as sa
from fastapi import APIRouter, Request
from fastapi.responses import StreamingResponse
from sqlalchemy.orm import Session

from marketplace.app import Market
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


class Changes:
    """The present version of everything that pages show, for any number of listeners."""

    def __init__(self, market: Market, stopping: Callable[[], bool]) -> None:
        self._market, self._stopping = market, stopping
        self._changed = asyncio.Condition()
        self._version = ""
        self._listeners = 0
        self._watching: asyncio.Task[None] | None = None

    @property
    def full(self) -> bool:
        return self._listeners >= _LISTENERS

    async def versions(self) -> AsyncIterator[str | None]:
        """The version, whenever it changes; None now and then while it does not."""
        self._listeners += 1
        if self._watching is None or self._watching.done():
            self._watching = asyncio.create_task(self._watch(), name="changes")
        try:
            seen = ""
            while True:
                async with self._changed:
                    with suppress(TimeoutError):
                        async with asyncio.timeout(_BREATH_S):
                            while self._version == seen and not self._stopping():
                                await self._changed.wait()
                    told, seen = self._version != seen, self._version
                if self._stopping():
                    return  # or the server would wait for us
                yield seen if told else None
        finally:
            self._listeners -= 1

    async def _watch(self) -> None:
        while self._listeners:
            found = await self._market.database.read(version)
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
    async for found in changes.versions():
        yield ": still here\n\n" if found is None else f"event: changed\ndata: {found}\n\n"


def _changes(request: Request, market: Market) -> Changes:
    state = request.app.state
    if not hasattr(state, "changes"):
        state.changes = Changes(market, state.stopping)
    found: Changes = state.changes
    return found


def version(session: Session) -> str:
    """A word that changes when any page might."""
    parts = session.execute(
        sa.select(
            sa.select(sa.func.max(Event.id)).scalar_subquery(),
            sa.select(sa.func.count(Event.id)).scalar_subquery(),
            sa.select(sa.func.max(NodeStatus.received_s)).scalar_subquery(),
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
    return hashlib.sha256(repr(tuple(parts)).encode()).hexdigest()[:16]
