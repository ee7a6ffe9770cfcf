"""Who is alive: answers within two seconds; a closed connection is dead at once."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from typing import ClassVar

from node_agent.engine.context import RoundContext
from node_agent.engine.node import Node
from node_agent.errors import PeerError
from node_agent.peers.protocol import Peer, Reason


class Liveness:
    """Asks the members of one round for signs of life."""

    TIMEOUT_S: ClassVar[float] = 2.0
    EVERY_S: ClassVar[float] = 0.5

    def __init__(self, node: Node, context: RoundContext) -> None:
        self._node, self._context = node, context

    async def alive(self, peer: Peer, *, trains: bool = False, comes: bool = False) -> bool:
        """Does the peer answer, and (``trains``) has it a training process?

        ``comes``: and has its operator not paused it?
        """
        if peer.registration == self._node.registration:
            return self._node.trains or not (trains or (comes and self._node.paused))
        try:
            status = await self._node.client.status(peer, self.TIMEOUT_S)
        except PeerError as error:
            return error.reason not in (Reason.UNREACHABLE, Reason.TIMEOUT, Reason.VERSION)
        return not (comes and status.get("paused")) and (bool(status.get("training")) or not trains)

    async def lost(self, leader: Peer, *, trusted: bool) -> None:
        """Return when a leader cannot deliver: he does not answer, or has nothing that trains.

        ``trusted``: he was heard of in this round, so the first question can wait; most rounds are
        over by then.
        """
        if trusted:
            await asyncio.sleep(self.EVERY_S)
        while await self.alive(leader, trains=True):  # noqa: ASYNC110  nobody announces his own death
            await asyncio.sleep(self.EVERY_S)

    async def quorum(self) -> int:
        """How many organizations have a living node; stops counting at a quorum."""
        living: set[int] = set()

        async def ask(peer: Peer) -> None:
            if await self.alive(peer):
                living.add(peer.party)

        asked = {asyncio.ensure_future(ask(peer)) for peer in self._context.members}
        try:
            while asked and len(living) < self._context.quorum:
                done, asked = await asyncio.wait(asked, return_when=asyncio.FIRST_COMPLETED)
                for task in done:
                    task.result()
        finally:
            for task in asked:
                task.cancel()
        return len(living)

    async def gather(self, arrived: Callable[[int], bool], limit_s: float) -> None:
        """Wait until every live node (by registration) has arrived, at most ``limit_s``.

        From round 1 on those without a training process are not waited for: they do not commit.
        Who is paused never is.
        """

        async def arrives(peer: Peer) -> None:
            def here() -> bool:
                return arrived(peer.registration)

            trains = self._context.round > 0
            while not here() and await self.alive(peer, trains=trains, comes=True):
                with suppress(TimeoutError):
                    await asyncio.wait_for(self._node.changed.until(here), self.EVERY_S)

        with suppress(TimeoutError):
            async with asyncio.timeout(limit_s):
                await asyncio.gather(*map(arrives, self._context.members))
