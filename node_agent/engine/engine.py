"""From round to round, as the chain opens them; and the inbox that peers write to."""

from __future__ import annotations

import asyncio
import logging
from collections import defaultdict
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from contracts.errors import ChainError
from node_agent.engine.chain import RunOver
from node_agent.engine.context import RoundContext
from node_agent.engine.late import LateBooks
from node_agent.engine.node import Node
from node_agent.engine.round import Round
from node_agent.errors import MessageRefused
from node_agent.peers.protocol import Envelope, Peer
from node_agent.trainer import TrainerGone

log = logging.getLogger(__name__)

_EARLY_PER_PEER = 16  # messages of a round that we have not seen opened yet
_LET_GO_S = 10.0
_REOPEN_AGAIN_S = 5.0
_TELL_EVERY_S = 5.0
_SETTLE_AGAIN_S = 2.0


class Engine:
    """Runs one node through one run. Implements ``peers.protocol.Inbox``."""

    def __init__(self, node: Node, open_round: int) -> None:
        self._node = node
        self._open_round = open_round
        self._round: Round | None = None
        self._past: list[Round] = []
        self._over: RunOver | None = None
        self._late = LateBooks(
            node.chain, node.journal, node.registration, lambda: [each.book for each in self._past]
        )
        self._early: dict[str, list[tuple[Peer, Envelope]]] = defaultdict(list)
        self._expected = -1
        """The round that we see from its opening on; what was said in another one is asked for."""

    async def run(self) -> RunOver:
        """Play until the run is finished; returns its end."""
        self._node.background(self._tell_progress())
        while True:
            state = await self._read_chain()
            if isinstance(state, RunOver):
                await self._finish(state)
                return state
            await self._play(state)

    async def _read_chain(self) -> RoundContext | RunOver:
        warned = False
        while True:
            try:
                return await self._node.chain.read()
            except ChainError as error:
                if not warned:
                    log.warning("Waiting for the chain: %s", error)
                warned = True
                await asyncio.sleep(1.0)  # the chain sends no word when it is back

    async def _play(self, context: RoundContext) -> None:
        if self._node.registration not in context.by_registration:
            log.info("Not in the snapshot of round %d: waiting for the next one.", context.round)
            self._node.meter.finish_before(context.round)
            await self._node.chain.moved_on(context)
            return
        self._node.meter.begin(context.round)
        missed = context.round != self._expected
        self._expected = context.round + 1
        current = Round(self._node, context, self._late if context.local else None)
        self._round = current
        if context.local:
            self._node.background(self._follow_rows(context))
        await self._enter_early(context, current)
        if missed:
            await current.catch_up(self._node.others(context))
        play = asyncio.ensure_future(current.play())
        moved = asyncio.ensure_future(self._node.chain.moved_on(context))
        stalled = asyncio.ensure_future(self._reopen_when_stalled(current))
        watch = asyncio.ensure_future(current.reach.watch()) if current.reach else stalled
        try:
            await asyncio.wait({play, moved}, return_when=asyncio.FIRST_COMPLETED)
            if play.done():
                play.result()
            await moved
            if current.agreed:
                await self._let_go(current, play)
        finally:
            for task in (play, moved, stalled, watch):
                task.cancel()
            with suppress(asyncio.CancelledError):
                await play
        self._node.reports.append(current.account())
        log.info("Round %d is over.", context.round)
        self._past = [current, *self._past[:1]]
        kept = [context.base_root, self._node.state_root(context.base_root)]
        self._node.store.note_rosters(context.round, current.book.closed_rosters())
        self._node.store.archive_before(context.round, filter(None, kept))

    async def _let_go(self, current: Round, play: asyncio.Future[None]) -> None:
        """Our own training process gets its model before the next round takes it over.

        Not at any price: that model may be lost, or not be the one that was recorded.
        """
        released = asyncio.ensure_future(current.released.wait())
        both: set[asyncio.Future[Any]] = {play, released}
        limit_s = _LET_GO_S
        if current.context.local:  # our row may still be measured
            limit_s = max(limit_s, current.context.terms.leader_timeout / 1000)
        await asyncio.wait(both, timeout=limit_s, return_when=asyncio.FIRST_COMPLETED)
        released.cancel()

    async def _reopen_when_stalled(self, current: Round) -> None:
        """A round without a seal for ``stallTime`` is opened again, by whoever notices first.

        Not one that a quorum has agreed on: its seal only waits for the chain.
        """
        await asyncio.sleep(current.context.terms.stall_time)
        while True:
            if not current.agreed:
                with suppress(ChainError):
                    await self._node.chain.reopen_if_stalled()
            await asyncio.sleep(_REOPEN_AGAIN_S)  # the chain's clock may be behind ours

    async def _finish(self, over: RunOver) -> None:
        """Hand the training process the final model, whenever it asks."""
        self._over = over
        self._node.meter.finish_before(over.round + 1)
        log.info(
            "The run is finished after %d rounds; model %s.", over.round, over.merged_root.hex()
        )
        path = await self._node.model(over, over.merged_root)
        self._node.background(self._stop_trainer(path, over))
        if over.settling:
            self._node.background(self._settle(over))

    async def _follow_rows(self, context: RoundContext) -> None:
        try:
            await self._late.follow(context)
        except ChainError as error:
            log.warning("Our row of the round before round %d: %s", context.round, error)

    async def _settle(self, over: RunOver) -> None:
        """`local` metering: have the last round paid, by whoever is there, one after the other."""
        members = [peer.registration for peer in over.members]
        if self._node.registration in members:
            turn = members.index(self._node.registration)
            await asyncio.sleep(self._node.chain.stagger_s * turn)
        while True:
            try:
                late = await self._late.collect()
                if late:
                    await self._node.chain.add_rows(late)
                if await self._node.chain.settle():
                    log.info("The last round is settled.")
                    return
            except ChainError as error:
                log.warning("The last round is not settled yet: %s", error)
            # Others' rows may come meanwhile, and the chain does not tell us of its clock.
            await asyncio.sleep(_SETTLE_AGAIN_S)

    async def _tell_progress(self) -> None:
        """A line now and then for whoever waits at the training process's terminal."""
        while True:
            await asyncio.sleep(_TELL_EVERY_S)
            if self._round and not self._over:
                await self._node.trainer.tell(self._round.waits_for())

    async def _stop_trainer(self, path: Path, over: RunOver) -> None:
        while True:
            await self._node.trainer.waiting()
            with suppress(TrainerGone):
                await self._node.trainer.release(
                    {
                        "do": "stop",
                        "path": str(path),
                        "round": over.round,
                        "reason": "the run is finished",
                    }
                )

    async def _enter_early(self, context: RoundContext, current: Round) -> None:
        for sender, envelope in self._early.pop(context.prev_hex, []):
            try:
                current.receive(envelope, sender)
            except MessageRefused as refused:
                log.info("Early message of %s refused: %s", sender.spiffe_id, refused)
            await asyncio.sleep(0)
        self._early.clear()

    # -- inbox

    async def receive(self, sender: Peer, envelope: Envelope) -> None:
        """Take a peer's message; see ``peers.protocol.Inbox``."""
        body = envelope.message.get("roster", envelope.message)
        prev = body.get("prev") if isinstance(body, dict) else None
        if not isinstance(prev, str):
            raise MessageRefused("the message names no predecessor (prev)")
        if envelope.kind == "sealed":
            self._node.chain.hint()
        elif self._round and prev == self._round.context.prev_hex:
            self._round.receive(envelope, sender)
        elif (past := self._of_past(prev)) is None:
            self._keep_early(prev, sender, envelope)
        elif past.context.local and envelope.kind == "attestation":
            past.book.add(envelope)  # its row may still be brought by the next seal

    def _of_past(self, prev: str) -> Round | None:
        return next((past for past in self._past if past.context.prev_hex == prev), None)

    def _keep_early(self, prev: str, sender: Peer, envelope: Envelope) -> None:
        """A round we have not seen opened: keep the message, and look at the chain."""
        kept = sum(
            s.registration == sender.registration for q in self._early.values() for s, _ in q
        )
        if kept >= _EARLY_PER_PEER:
            raise MessageRefused("too many messages of rounds that are not open here")
        self._early[prev].append((sender, envelope))
        self._node.chain.hint()

    def held(self, run: str, prev: str) -> Sequence[Envelope]:
        """The signed messages of one round, while it is recent."""
        rounds = [self._round, *self._past] if self._round else []
        return [
            envelope
            for played in rounds
            if (run, prev) == (played.context.run_hex, played.context.prev_hex)
            for envelope in played.book.envelopes()
        ]

    def readable(self, root: str, reader: Peer) -> Path | None:
        """Updates once a roster names them; models that this node knows as base or as attested."""
        wanted = bytes.fromhex(root)
        if self._over and wanted == self._over.merged_root:
            return self._node.store.find(wanted)
        for played in [self._round, *self._past]:
            if played is not None and played.opens(wanted):
                return self._node.store.find(wanted)
        return None

    async def awaited(self, root: str, reader: Peer, limit_s: float) -> Path | None:
        """As ``readable``, but waits for a file that is on its way here."""
        try:
            async with asyncio.timeout(limit_s):
                return await self._node.changed.until(lambda: self.readable(root, reader))
        except TimeoutError:
            return None

    def status(self) -> Mapping[str, Any]:
        """What operators and peers are told; see ``peers.protocol.Inbox``."""
        status: dict[str, Any] = {
            "node": self._node.spiffe_id,
            "run": "0x" + self._node.chain.run_id.hex(),
            "training": self._node.trains,
            "paused": self._node.paused,
            "last": self._node.reports.last,
        }
        if self._over:
            return status | {"state": "finished", "round": self._over.round, "prev": ""}
        if self._round is None:
            return status | {"state": "starting", "round": self._open_round, "prev": ""}
        played, context = self._round, self._round.context
        by_number = context.by_registration
        if played.reach:
            status["unreached"] = played.reach.unreached
        return status | {
            "name": context.name,
            "round": context.round,
            "max_rounds": context.terms.max_rounds,
            "sync_frequency": context.batches(),
            "merge_rule": self._node.rule.name,
            "prev": context.prev_hex,
            "state": played.state,
            "term": played.terms.number,
            "leader": played.terms.leader.spiffe_id,
            "committed": [by_number[n].spiffe_id for n in played.book.updates],
            "members": [peer.spiffe_id for peer in context.members],
        }
