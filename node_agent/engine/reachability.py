"""Before round 1: which node cannot reach which, in words that name both.

Every node asks every other one how it is, and whom it cannot reach itself; so each that is asked
tells its part of the table. A firewall that is open one way only shows here, not in a lost round.
"""

from __future__ import annotations

import asyncio
import logging

from node_agent.engine.context import RoundContext
from node_agent.engine.node import Node
from node_agent.errors import PeerError
from node_agent.peers.protocol import Peer, Reason

log = logging.getLogger(__name__)

_TIMEOUT_S = 5.0
_AGAIN_S = 3.0  # agents start one after the other


class Reachability:
    """What one node knows of who reaches whom; ``unreached`` is its own part, name to reason."""

    def __init__(self, node: Node, context: RoundContext) -> None:
        self._node, self._context = node, context
        self.unreached: dict[str, str] = {}
        self.foreign: dict[str, str] = {}
        """Of these, those that no version of the protocol is shared with."""
        self._seen: dict[str, frozenset[str]] = {}
        """Whom the others cannot reach, by who says so."""

    async def watch(self) -> None:
        """Look again and again, until cancelled; what fails twice is told in the log, once."""
        told: set[str] = set()
        before: set[str] = set()
        while True:
            await asyncio.gather(*map(self._ask, self._node.others(self._context)))
            lines = set(self.lines())
            for line in sorted((lines & before) - told):
                log.warning("Before round 1: %s", line)
            told |= lines & before
            before = lines
            await asyncio.sleep(_AGAIN_S)  # nobody announces that a firewall was opened

    async def _ask(self, peer: Peer) -> None:
        try:
            status = await self._node.client.status(peer, _TIMEOUT_S)
        except PeerError as error:
            self.unreached[peer.spiffe_id] = str(error)
            self.foreign.pop(peer.spiffe_id, None)
            if error.reason == Reason.VERSION:
                self.foreign[peer.spiffe_id] = f"{error}: {error.hint}"
            self._seen.pop(peer.spiffe_id, None)
            return
        self.unreached.pop(peer.spiffe_id, None)
        self.foreign.pop(peer.spiffe_id, None)
        theirs = status.get("unreached")
        known = {each.spiffe_id for each in self._context.members}
        listed = theirs if isinstance(theirs, dict) else {}
        self._seen[peer.spiffe_id] = frozenset(known & listed.keys())

    def lines(self) -> list[str]:
        """One sentence for each failing pair, or for a node that nobody reaches."""
        table = {self._node.spiffe_id: frozenset(self.unreached), **self._seen}
        found = []
        for target in (peer.spiffe_id for peer in self._context.members):
            others = [who for who in table if who != target]
            failing = [who for who in others if target in table[who]]
            if target in self.foreign:
                found.append(self.foreign[target])
            elif failing and len(failing) == len(others):
                found.append(
                    f"{target} is reached by nobody: is its agent running, and its address right?"
                )
            else:
                found += [f"{who} cannot reach {target}, others can" for who in failing]
        return found
