"""The terms of one round: one leader after the other, until a quorum signs the same payload.

A term: its leader closes the roster, everyone fetches, merges and measures, the leader proposes
what he measured, the others sign the same payload if theirs agrees within tolerance, or refuse.
Term t ends when its time is over, when its leader is found dead, or when more than half refuse.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Container
from contextlib import suppress
from typing import TYPE_CHECKING, TypeVar

from contracts.messages import (
    Attestation,
    Holdings,
    Refusal,
    Roster,
    digest,
    pack_rejects,
    pack_shares,
    struct_hash,
)
from node_agent.engine.exchange import Merged, fetch_update, merge_roster
from node_agent.engine.measure import Measured, disagreement, measure
from node_agent.engine.rosters import NO_ROSTER, bitmap, members_after
from node_agent.errors import PeerError
from node_agent.peers.protocol import Peer, Reason

if TYPE_CHECKING:
    from node_agent.engine.round import Round

log = logging.getLogger(__name__)

T = TypeVar("T")
_PING_TIMEOUT_S = 2.0  # a node that answers within this is live
_PING_EVERY_S = 0.5
_REFUSALS_BEFORE_VOID = 2


class TermOver(Exception):
    """This term will not succeed; the next one begins."""


class Terms:
    """The part of a round that depends on leaders; ``number`` is the current term."""

    def __init__(self, round_: Round) -> None:
        self._round = round_
        self._node, self._context, self._book = round_.node, round_.context, round_.book
        self.number = 0
        self._merged: dict[tuple[int, ...], Merged] = {}
        self._measured: dict[bytes, Measured] = {}

    @property
    def leader(self) -> Peer:
        """Who leads the current term."""
        return self._book.leader(self.number)

    async def play(self) -> None:
        await self._node.changed.until(self._may_begin)
        context = self._context
        while True:
            self.number = max(self.number, self._book.term_of_majority())
            limit_s = context.terms.leader_timeout / 1000 * 2**self.number
            if context.round == 0:
                limit_s += self._node.ready_timeout_s
            try:
                async with asyncio.timeout(limit_s):
                    await self._play_term(self.number)
            except TermOver as why:
                log.info("Round %d, term %d is over: %s", context.round, self.number, why)
            except TimeoutError:
                log.info(
                    "Round %d, term %d: nothing in %.1f s", context.round, self.number, limit_s
                )
            self._enter(self.number + 1)

    def _enter(self, term: int) -> None:
        """Reach a term; its leader needs to know who holds what."""
        if term > self.number and self._context.round > 0:
            self._tell_holdings(term)
        self.number = term

    def _may_begin(self) -> bool:
        return self._book.has_quorum(
            self._book.updates if self._context.round else self._book.ready
        )

    async def _play_term(self, term: int) -> None:
        leads = self.leader.registration == self._node.registration
        if self._context.round == 0:
            roster, merged = None, await self._initial()
        else:
            roster = await (
                self._close_roster(term) if leads else self._heard(lambda: self._book.roster(term))
            )
            merged = await self._merge(roster)
        mine = await self._attestation(term, roster, merged)
        if leads:
            if roster is None:
                await self._gather(lambda: self._book.ready, self._node.ready_timeout_s)
            self._attest(mine)
        else:
            proposal = await self._heard(lambda: self._book.proposals.get(term))
            reason = disagreement(
                self._context, mine, proposal, void_allowed=self._void_allowed(term)
            )
            if reason is None:
                self._attest(proposal)
            else:
                self._refuse(proposal, reason)
        await self._node.changed.until(lambda: self._book.refused(term))
        raise TermOver("its proposal was refused")

    async def _heard(self, predicate: Callable[[], T | None]) -> T:
        """Wait for the leader's word; ``TermOver`` as soon as he is found dead."""
        word = asyncio.ensure_future(self._node.changed.until(predicate))
        watch = asyncio.ensure_future(self._watch(self.leader))
        try:
            await asyncio.wait({word, watch}, return_when=asyncio.FIRST_COMPLETED)
            if not word.done():
                watch.result()
            return await word
        finally:
            word.cancel()
            watch.cancel()

    async def _watch(self, leader: Peer) -> None:
        if leader.registration in self._book.updates or self._context.round == 0:
            await asyncio.sleep(_PING_EVERY_S)
        while await self._alive(leader):  # noqa: ASYNC110  nobody announces his own death
            await asyncio.sleep(_PING_EVERY_S)
        raise TermOver(f"its leader {leader.spiffe_id} does not answer")

    async def _alive(self, peer: Peer, *, trains: bool = False) -> bool:
        """Does the peer answer, and (``trains``) has it a training process that may commit?"""
        if peer.registration == self._node.registration:
            return self._node.trainer.connected or not trains
        try:
            status = await self._node.client.status(peer, _PING_TIMEOUT_S)
        except PeerError as error:
            return error.reason not in (Reason.UNREACHABLE, Reason.TIMEOUT)
        return bool(status.get("training")) or not trains

    async def _gather(self, arrived: Callable[[], Container[int]], limit_s: float) -> None:
        """Wait until every live node has arrived, at most ``limit_s``."""

        async def arrives(peer: Peer) -> None:
            def here() -> bool:
                return peer.registration in arrived()

            while not here() and await self._alive(peer, trains=self._context.round > 0):
                with suppress(TimeoutError):
                    await asyncio.wait_for(self._node.changed.until(here), _PING_EVERY_S)

        with suppress(TimeoutError):
            async with asyncio.timeout(limit_s):
                await asyncio.gather(*map(arrives, self._context.members))

    # -- roster

    async def _close_roster(self, term: int) -> Roster:
        context, book = self._context, self._book
        bound = None
        if term == 0:
            await self._gather(lambda: book.updates, context.terms.quorum_grace / 1000)
        else:
            await self._node.changed.until(lambda: book.has_majority(book.holdings.get(term, {})))
            evidence = {n: signed.message for n, signed in book.holdings[term].items()}
            bound = members_after(context, evidence, book.roster_roots())
        members = bound or tuple(
            peer.registration for peer in context.members if peer.registration in book.updates
        )
        roster = Roster(
            context.run_id, context.round, context.prev, term, members, book.updates_root(members)
        )
        self._round.say(
            self._node.sign_once(context, "roster", term, roster, book.roster_body(roster))
        )
        return book.roster(term) or roster

    def _tell_holdings(self, term: int) -> None:
        book, context = self._book, self._context
        root = book.latest_roster_root()
        members = book.roster_roots()[root].members if root != NO_ROSTER else ()
        held = [
            self._node.store.path(context.round, book.updates[n].message.root).exists()
            for n in members
        ]
        holdings = Holdings(
            context.run_id, context.round, context.prev, term,
            self._node.registration, root, bitmap(held),
        )  # fmt: skip
        self._round.say(self._node.sign_once(context, "holdings", term, holdings))

    # -- merging and attesting

    async def _initial(self) -> Merged:
        path = await self._node.model(self._context, self._context.base_root)
        return Merged(self._context.base_root, path, (), (), (), {}, ())

    async def _merge(self, roster: Roster) -> Merged:
        members = tuple(roster.members)
        if members not in self._merged:
            loop = asyncio.get_running_loop()
            self._round.state, started = "exchanging", loop.time()
            async with asyncio.TaskGroup() as group:
                for member in members:
                    group.create_task(
                        fetch_update(self._node, self._context, self._book, roster, member)
                    )
            exchanged = loop.time()
            self._round.state = "merging"
            self._merged[members] = await merge_roster(
                self._node, self._context, self._book, roster
            )
            self._round.report.exchange_s += exchanged - started
            self._round.report.merge_s += loop.time() - exchanged
        return self._merged[members]

    async def _attestation(self, term: int, roster: Roster | None, merged: Merged) -> Attestation:
        if merged.root not in self._measured:
            self._round.state = "measuring"
            measured = await measure(self._node, self._context, merged)
            self._measured[merged.root] = measured
            self._round.report.evaluate_s += measured.evaluate_s
            self._round.report.score_s += measured.score_s
        measured = self._measured[merged.root]
        self._round.state = "attesting"
        return Attestation(
            self._context.run_id,
            self._context.round,
            self._context.prev,
            term,
            struct_hash(roster) if roster else NO_ROSTER,
            merged.root,
            measured.loss_before_e9,
            measured.loss_after_e9,
            measured.metric_e9,
            b"" if self._void_allowed(term) else pack_shares(measured.shares),
            pack_rejects(merged.rejects),
        )

    def _void_allowed(self, term: int) -> bool:
        """After two refused proposals a round without pay ends the dispute."""
        return sum(map(self._book.refused, range(term))) >= _REFUSALS_BEFORE_VOID

    def _attest(self, attestation: Attestation) -> None:
        self._round.say(
            self._node.sign_once(self._context, "attestation", attestation.term, attestation)
        )

    def _refuse(self, proposal: Attestation, reason: str) -> None:
        log.warning(
            "Round %d, term %d: proposal refused: %s", self._context.round, self.number, reason
        )
        refusal = Refusal(
            self._context.run_id,
            self._context.round,
            self._context.prev,
            proposal.term,
            self._node.registration,
            digest(self._context.domain, proposal),
            reason,
        )
        self._round.say(self._node.sign_once(self._context, "refusal", proposal.term, refusal))
