"""One round, from its opening to a posted seal, as one node plays it.

The engine cancels ``play`` as soon as the chain has moved on. That may happen at any line: what is
signed is in the journal, and every other step can be repeated.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Coroutine, Iterable
from contextlib import suppress
from typing import Any

from node_agent.engine.book import Book
from node_agent.engine.commit import Commit
from node_agent.engine.context import RoundContext
from node_agent.engine.late import LateBooks
from node_agent.engine.leader import ranking
from node_agent.engine.node import Node
from node_agent.engine.reachability import Reachability
from node_agent.engine.report import RoundReport
from node_agent.engine.sealing import post_again_and_again, turn_to_post_s
from node_agent.engine.signals import alongside, end, unless
from node_agent.engine.tally import Tally
from node_agent.engine.terms import Terms
from node_agent.errors import MessageRefused, PeerError
from node_agent.peers.protocol import Envelope, Peer
from node_agent.proofs import Signed
from node_agent.trainer import TrainerGone

log = logging.getLogger(__name__)

_CATCH_UP_TIMEOUT_S = 3.0


class _Paused(Exception):
    """The operator has taken this node out of the rounds."""


class Round:
    """One node's part in one round."""

    def __init__(self, node: Node, context: RoundContext, late: LateBooks | None = None) -> None:
        self.node, self.context = node, context
        self._late = late
        leaders = ranking(context.run_id, context.round, context.base_root, context.members)
        self.book = Book(context, leaders, self._contradicted)
        self.state = "training" if context.round else "opening"
        self.report = RoundReport(context.round, node.spiffe_id)
        self.report.sync_frequency = context.batches()
        self._sent_before = node.traffic.sent_bytes
        self.agreed = False
        """A quorum signed: what is left is to hand the model over, and to post."""
        self.released = asyncio.Event()
        self.reach = None if context.round else Reachability(node, context)
        self._living = 0
        self.trained_at: float | None = None
        self.terms = Terms(self)

    def _contradicted(self, registration: int, first: Signed, second: Signed) -> None:
        """Keep what proves it; not of ourselves: see ``forgotten``."""
        if registration != self.node.registration and self.node.proofs:
            who = self.context.by_registration[registration].spiffe_id
            self.node.proofs.keep(who, registration, first, second)

    def opens(self, root: bytes) -> bool:
        """May peers read the file with this root from us?"""
        base = self.context.base_root
        return (
            root == base
            or self.book.opens(root, self.node.registration)
            or root == self.node.state_root(base)
        )

    def receive(self, envelope: Envelope, sender: Peer | None) -> None:
        """Take a message of this round. ``MessageRefused``."""
        if not self.book.add(envelope, sender):
            return
        self.node.changed.notify()
        own = self.node.registration
        if envelope.kind == "ready" and sender and own in self.book.ready - {sender.registration}:
            # It may have come up after we said so: tell it again, which it answers no more.
            self.node.answer(sender, self._ready())

    def waits_for(self) -> str:
        """What this round waits for, in words for the user's terminal."""
        context, book = self.context, self.book
        here = len(context.parties_of(book.updates if context.round else book.ready))
        if self.state == "paused":
            here = self._living
        gaps = "".join(f"; {line}" for line in self.reach.lines()) if self.reach else ""
        return (
            f"round {context.round}: {here} of {context.organizations} organizations are there, "
            f"{context.quorum} are needed; {self.state}, term {self.terms.number} "
            f"led by {self.terms.leader.organization}{gaps}"
        )

    def paused_with(self, organizations: int) -> None:
        """Note that too few are alive to go on, and how many."""
        self.state, self._living = "paused", organizations

    async def catch_up(self, peers: Iterable[Peer]) -> None:
        """Ask others for what was said in this round so far."""

        async def ask(peer: Peer) -> None:
            try:
                held = await self.node.client.held(
                    peer, self.context.run_hex, self.context.prev_hex, _CATCH_UP_TIMEOUT_S
                )
            except PeerError as error:
                log.debug("Nothing to catch up with from %s: %s", peer.spiffe_id, error)
                return
            for envelope in held:
                with suppress(MessageRefused):
                    self.receive(envelope, None)
                await asyncio.sleep(0)  # whatever he sends, it must not hold up everybody else

        await asyncio.gather(*map(ask, peers))

    def forgotten(self) -> bool:
        """Do others hold words of ours that our journal does not know?

        Then it was restored from a backup, and anything signed now could contradict them.
        """
        own = self.node.registration
        known = {entry.signature for entry in self.node.journal.signed_for(self.context.prev_hex)}
        return self.book.contradictions[own] > 0 or any(
            envelope.registration == own and envelope.signature not in known
            for envelope in self.book.envelopes()
        )

    async def play(self) -> None:
        """Play, and post the seal until the engine has seen it on the chain and cancels this."""
        sits_out = self.forgotten()
        self._recall()
        part = asyncio.ensure_future(self._take_part(sits_out))
        try:
            tally = await alongside(self.node.changed.until(self.book.sealable), part)
            self.agreed = True
            async with asyncio.TaskGroup() as group:
                group.create_task(self._go_on(tally, part))
                group.create_task(self._post(tally))
        finally:
            await end(part)

    # -- taking part

    async def _take_part(self, sits_out: bool) -> None:
        if sits_out:
            log.warning(
                "This node sits out round %d: its journal is not up to date.", self.context.round
            )
            await asyncio.Event().wait()
        while True:
            await self.node.changed.until(lambda: not self.node.paused)
            self.state = "training" if self.context.round else "opening"
            with suppress(_Paused):
                await unless(self._play_on(), self._until_paused())

    async def _until_paused(self) -> None:
        await self.node.changed.until(lambda: self.node.paused)
        self.state = "paused by the operator"
        raise _Paused

    async def _play_on(self) -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(self._get_ready() if self.context.round == 0 else Commit(self).make())
            group.create_task(self.terms.play())

    def _recall(self) -> None:
        """After a restart: enter and repeat what we signed for this round before."""
        for entry in self.node.journal.signed_for(self.context.prev_hex):
            self.terms.resume(entry.term)
            envelope = Envelope(entry.kind, entry.message, entry.signature, self.node.registration)
            try:
                self.say(envelope)
            except MessageRefused as refused:
                log.info("Our own %s is not repeated: %s", entry.kind, refused)

    def say(self, envelope: Envelope) -> None:
        """Enter our own message and send it to all."""
        own = self.context.by_registration[self.node.registration]
        self.receive(envelope, own)
        self.node.broadcast(self.context, envelope)

    async def _get_ready(self) -> None:
        await self.node.trainer.waiting()
        self.say_ready()

    def say_ready(self) -> None:
        """Tell all that our training process waits for the start."""
        self.say(self._ready())

    def _ready(self) -> Envelope:
        return Envelope("ready", self._reference(), "0x", self.node.registration)

    def _reference(self) -> dict[str, object]:
        """Names this round in messages that carry no signature."""
        context = self.context
        return {"run_id": context.run_hex, "round": context.round, "prev": context.prev_hex}

    def account(self) -> RoundReport:
        """The report of a round that is over here."""
        self.report.bytes_sent = self.node.traffic.sent_bytes - self._sent_before
        return self.report

    # -- after the agreement

    def ends_run(self, tally: Tally) -> bool:
        """Will this seal be the run's last? (The contract decides the same.)

        Under `local` by the rows that are here now; the one who posts may have others. Either way
        a wrong guess costs some training, and nothing else.
        """
        context = self.context
        if context.local:
            there = context.parties_of(n for n, a in tally.signed.items() if context.at_target(a))
            at_target = 2 * len(there) > context.organizations
        else:
            at_target = context.at_target(tally.attestation)
        return at_target or context.round >= context.terms.max_rounds

    async def _give_row(self, tally: Tally, part: asyncio.Future[None]) -> None:
        """Under `local`: measure on, though a quorum has signed; the row may come with the next."""
        own = self.context.by_registration[self.node.registration].party
        limit_s = self.context.terms.leader_timeout / 1000
        said: Coroutine[Any, Any, bool] = self.node.changed.until(
            lambda: own in self.context.parties_of(tally.signatures)
        )
        with suppress(TimeoutError):
            async with asyncio.timeout(limit_s if self.node.trainer.connected else 0):
                await alongside(said, part)

    async def _go_on(self, tally: Tally, part: asyncio.Future[None]) -> None:
        """Nothing waits for the chain: training goes on from what a quorum attested."""
        if self.context.local:
            await self._give_row(tally, part)
        await end(part)
        attestation = tally.attestation
        self.report.term = attestation.term
        self.report.leader = self.book.leader(attestation.term).spiffe_id
        closed = self.book.closed.get(attestation.roster_root)
        self.report.members = [
            self.context.by_registration[n].spiffe_id for n in (closed.updates if closed else ())
        ]
        self.report.merged_root = attestation.merged_root.hex()
        mine = tally.seen_by(self.node.registration)
        if self.context.measured(mine, own=self.node.registration in tally.signed):
            self.report.loss_after = mine.loss_after / 1e9
            self.report.metric = mine.metric / 1e9
        if not self.ends_run(tally) and not self.node.paused:
            with suppress(TrainerGone):
                await self.node.hand_over(
                    self.context, attestation.merged_root, self.context.round + 1, attestation
                )
        self.report.close(self.trained_at, asyncio.get_running_loop().time())
        self.state = "sealing"
        self.released.set()

    async def _hear_rows(self, tally: Tally) -> None:
        """A row that is posted later costs gas of its own: wait a little for who is alive."""

        def heard(registration: int) -> bool:
            party = self.context.by_registration[registration].party
            return party in self.context.parties_of(tally.signatures)

        await self.terms.liveness.gather(heard, self.context.terms.quorum_grace / 1000)

    async def _post(self, tally: Tally) -> None:
        own, stagger_s = self.node.registration, self.node.chain.stagger_s
        await asyncio.sleep(turn_to_post_s(self.book, tally.attestation, own, stagger_s))
        if self.context.local:
            await self._hear_rows(tally)
        async for transaction in post_again_and_again(self.node.chain, tally, self._late):
            self.report.transaction = transaction
            sealed = Envelope("sealed", self._reference(), "0x", self.node.registration)
            self.node.broadcast(self.context, sealed)
