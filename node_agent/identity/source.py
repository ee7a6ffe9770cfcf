"""Where SVIDs come from: one interface, and what all sources have in common."""

from __future__ import annotations

import asyncio
import logging
import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from datetime import UTC, datetime
from types import TracebackType
from typing import Protocol, Self

from node_agent.errors import IdentityError
from node_agent.identity.svid import Svid

log = logging.getLogger(__name__)

Clock = Callable[[], float]  # unix seconds


class IdentitySource(Protocol):
    """A source of SVIDs that rotate by themselves while it is open (`async with source:`)."""

    def current(self) -> Svid:
        """The SVID to be shown now. Raises IdentityError when there is none, or it is over."""

    async def changed(self) -> Svid:
        """Waits for the next SVID that differs from the one there is now, and returns it."""

    async def __aenter__(self) -> Self: ...

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None: ...


class RotatingSource(ABC):
    """What the sources share: the latest SVID, its expiry, and one task that keeps it fresh.

    A subclass loads the first SVID in `_open` and replaces it in `_watch`, which runs until it is
    cancelled.
    """

    expired_hint = ""

    def __init__(self, spiffe_id: str | None, clock: Clock = time.time) -> None:
        self._expected = spiffe_id
        self._clock = clock
        self._svid: Svid | None = None
        self._rotated = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def current(self) -> Svid:
        svid = self._svid
        if svid is None:
            raise IdentityError("there is no SVID yet", hint=self.expired_hint)
        now_s = self._clock()
        if now_s >= svid.not_after_s:
            raise IdentityError(
                f"the SVID of {svid.spiffe_id} expired on {_utc(svid.not_after_s)}",
                hint=self.expired_hint,
            )
        if now_s < svid.leaf.not_before_s:
            raise IdentityError(
                f"the SVID of {svid.spiffe_id} is not valid before {_utc(svid.leaf.not_before_s)}",
                hint="check this machine's clock",
            )
        return svid

    async def changed(self) -> Svid:
        await self._rotated.wait()
        assert self._svid is not None  # the event is only set when one is taken
        return self._svid

    async def __aenter__(self) -> Self:
        await self._open()
        self._task = asyncio.create_task(self._watch(), name="svid")
        self._task.add_done_callback(_report_end)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])
        await self._close()

    def _take(self, svid: Svid) -> bool:
        """Makes an SVID the current one, unless it is the same again; wakes who waits for it."""
        if self._expected is not None and svid.spiffe_id != self._expected:
            raise IdentityError(
                f"the SVID is for {svid.spiffe_id}, not for {self._expected}",
                hint="each node needs an SVID of exactly the name it enrolls under",
            )
        if self._svid is not None and svid == self._svid:
            return False
        if self._svid is not None:
            log.info("new SVID of %s, valid until %s", svid.spiffe_id, _utc(svid.not_after_s))
        self._svid = svid
        # Whoever waited is woken, whoever asks from now on waits for the next one.
        self._rotated.set()
        self._rotated = asyncio.Event()
        return True

    @abstractmethod
    async def _open(self) -> None:
        """Takes the first SVID. Raises IdentityError."""

    @abstractmethod
    async def _watch(self) -> None:
        """Takes new SVIDs until it is cancelled."""

    async def _close(self) -> None:  # noqa: B027 - most have nothing to release
        """Releases what `_open` took."""


def _report_end(task: asyncio.Task[None]) -> None:
    """An SVID that nobody renews ends every connection in the end: say so while there is time."""
    if not task.cancelled() and task.exception() is not None:
        log.critical("SVIDs are no longer renewed until a restart", exc_info=task.exception())


def _utc(at_s: float) -> str:
    return datetime.fromtimestamp(at_s, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
