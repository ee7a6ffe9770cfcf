"""What one node has at hand in every round, and the few things it does with it everywhere."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Coroutine, Iterable, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from contracts.keys import Signer
from contracts.messages import Attestation, Struct, sign, to_json
from node_agent.engine.chain import RunChain, RunOver
from node_agent.engine.context import RoundContext
from node_agent.engine.headers import merged_sizes, state_sizes
from node_agent.engine.hedge import first_success
from node_agent.engine.report import Reports
from node_agent.engine.signals import Changed
from node_agent.engine.store import Store
from node_agent.errors import PeerError
from node_agent.journal import Journal
from node_agent.merge.rules import STATE, Rule
from node_agent.parameters.format import ParameterFile
from node_agent.parameters.schema import Schema
from node_agent.peers.client import PeerClient
from node_agent.peers.protocol import Envelope, Peer, Reason, Traffic
from node_agent.proofs import Proofs
from node_agent.trainer import Request, Trainer
from node_agent.usage.meter import Meter

log = logging.getLogger(__name__)

_PAUSED = "paused"  # a fact in the journal
_PATIENCE_S = 2.0  # with one source of a model; then the next is asked as well


@dataclass(slots=True)
class Node:
    """The means of one node: keys, journal, files, peers, training process, chain."""

    registration: int
    spiffe_id: str
    signer: Signer
    journal: Journal
    store: Store
    client: PeerClient
    trainer: Trainer
    chain: RunChain
    reports: Reports
    meter: Meter
    schema: Schema
    rule: Rule
    """How the run merges."""
    traffic: Traffic
    message_timeout_s: float
    transfer_timeout_s: float
    ready_timeout_s: float
    ready_organizations: int = 0
    """So many should be there before the run begins; otherwise a quorum, and who is reachable."""
    inbound: bool = True
    """Do peers connect to this node? Otherwise it opens all connections itself."""
    proofs: Proofs | None = None
    changed: Changed = field(default_factory=Changed)
    _sending: set[asyncio.Task[None]] = field(default_factory=set)

    def sign_once(
        self,
        context: RoundContext,
        kind: str,
        term: int,
        message: Struct,
        body: dict[str, Any] | None = None,
    ) -> Envelope:
        """Sign for this round, or repeat what was signed for it before: see ``Journal``.

        ``body``: what travels, when that is more than the message itself.
        """
        entry = self.journal.sign_once(
            context.prev_hex,
            kind,
            term,
            to_json(message) if body is None else body,
            lambda: "0x" + sign(context.domain, message, self.signer).hex(),
        )
        return Envelope(kind, entry.message, entry.signature, self.registration)

    def others(self, state: RoundContext | RunOver) -> list[Peer]:
        """The other nodes of the snapshot."""
        return [peer for peer in state.members if peer.registration != self.registration]

    @property
    def paused(self) -> bool:
        """Has the operator taken this node out of the rounds? It stays a member, and serves."""
        return self.journal.fact(_PAUSED) == "yes"

    def pause(self, paused: bool) -> None:
        """Commit and attest nothing from now on, also after a restart; or take part again."""
        self.journal.keep(_PAUSED, "yes" if paused else "no")
        log.warning("Paused by the operator." if paused else "Resumed by the operator.")
        self.changed.notify()

    @property
    def trains(self) -> bool:
        """Is there something that trains, and may?"""
        return self.trainer.connected and not self.paused

    def sources(self, context: RoundContext, owner: int, holders: Iterable[int]) -> list[Peer]:
        """Whom to ask for an update, in this order: its node, then who may have it by now.

        Between two sites that accept no inbound connection the file would pass through a third
        sealed, for each reader anew: they ask the third, who fetches it once, as every node does.
        """
        numbers = [owner, *(number for number in holders if number != owner)]
        if self.relays(context, owner):
            hubs = [peer.registration for peer in context.members if peer.reachable]
            numbers = list(dict.fromkeys([*hubs, *numbers]))
        return [context.by_registration[n] for n in numbers if n != self.registration]

    def relays(self, context: RoundContext, owner: int) -> bool:
        """Does an update of this node reach us through others?"""
        return not (self.inbound or context.by_registration[owner].reachable)

    def broadcast(self, context: RoundContext, envelope: Envelope) -> None:
        """Send to every other node, each at its own pace; who misses it catches up later."""
        for peer in self.others(context):
            self.background(self._send(peer, envelope))

    def answer(self, peer: Peer, envelope: Envelope) -> None:
        """Send to one node, without waiting for it."""
        self.background(self._send(peer, envelope))

    def background(self, work: Coroutine[Any, Any, None]) -> None:
        """Run something nobody waits for."""
        task = asyncio.ensure_future(work)
        self._sending.add(task)
        task.add_done_callback(self._sending.discard)

    def stop(self) -> None:
        """Leave what nobody waits for: the connections that it uses are about to be closed."""
        for task in self._sending:
            task.cancel()

    async def _send(self, peer: Peer, envelope: Envelope) -> None:
        for attempt in (1, 2):
            try:
                return await self.client.send(peer, envelope, self.message_timeout_s)
            except PeerError as error:
                # A kept-alive connection may have died unnoticed: worth exactly one more try.
                if error.reason != Reason.UNREACHABLE or attempt == 2:
                    log.debug("%s not delivered to %s: %s", envelope.kind, peer.spiffe_id, error)
                    return None

    async def model(self, state: RoundContext | RunOver, root: bytes) -> Path:
        """The merged (or initial) model with this root, fetched from whichever peer has it.

        Waits as long as it takes, since nothing can go on without it; says so in the log.
        """
        return await self._file(
            "model", state, root, merged_sizes(self.schema, self.rule, state.round)
        )

    async def rule_state(self, context: RoundContext, root: bytes) -> Path:
        """What the merge rule left with the round's base, fetched as a model is."""
        sizes = state_sizes(self.schema, self.rule, context.round)
        return await self._file("state of the merge rule", context, root, sizes)

    def state_root(self, model: bytes) -> bytes | None:
        """The root of the state that a model here names; None if it is not here, or names none."""
        path = self.store.find(model) if self.rule.state_schema else None
        named = ParameterFile.open(path).metadata.get(STATE) if path else None
        return bytes.fromhex(named) if named else None

    async def _file(
        self, what: str, state: RoundContext | RunOver, root: bytes, sizes: Sequence[int]
    ) -> Path:
        while True:
            path = self.store.find(root)
            if path is not None:
                return path
            destination = self.store.path(state.round, root)
            attempts = [
                partial(self._fetch_file, peer, sizes, root, destination)
                for peer in sorted(self.others(state), key=lambda peer: not peer.reachable)
            ]
            if await first_success(attempts, _PATIENCE_S):
                return destination
            log.warning("No peer has the %s %s yet; asking again.", what, root.hex()[:12])
            await asyncio.sleep(1.0)  # nobody tells us when a peer comes by a file

    async def _fetch_file(
        self, peer: Peer, sizes: Sequence[int], root: bytes, destination: Path
    ) -> bool:
        for size in sizes:
            try:
                await self.client.fetch(
                    peer, root.hex(), destination, size, self.transfer_timeout_s
                )
                return True
            except PeerError as error:
                log.debug("File %s not from %s: %s", root.hex()[:12], peer.spiffe_id, error)
                if error.reason != Reason.SIZE:
                    return False
        return False

    async def hand_over(
        self,
        context: RoundContext,
        root: bytes,
        round_number: int,
        sealed: Attestation | None = None,
    ) -> Request | None:
        """Release the training process with a model to go on from.

        ``sealed``: what a quorum signed of this round, when the next one is trained for.
        """
        path = await self.model(context, root)
        return await self.trainer.release(
            {
                "do": "load",
                "path": str(path),
                "round": round_number,
                "base": root.hex(),
                "loss": sealed and sealed.loss_after / 1e9,
                "metric": sealed and sealed.metric / 1e9,
                "syncFrequency": context.batches(sealed),
                "last": False,
            }
        )
