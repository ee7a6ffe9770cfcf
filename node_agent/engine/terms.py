"""The terms of one round: one leader after the other, until a quorum signs the same payload.

A term: its leader closes the roster, everyone fetches, merges and measures, the leader proposes
what he measured, the others sign the same payload if theirs agrees within tolerance, or refuse.
Term t ends when its time is over, when its leader is found dead, when more than half refuse, or
when more than half are further. While fewer than a quorum are alive, no new term begins.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeVar

from contracts.messages import (
    Attestation,
    Refusal,
    digest,
    pack_rejects,
    pack_shares,
)
from node_agent.engine.checks import REASON_LIMIT_CHARS
from node_agent.engine.closing import Closing
from node_agent.engine.exchange import Merged, fetch_updates, merge_roster
from node_agent.engine.gathering import Gathering
from node_agent.engine.liveness import Liveness
from node_agent.engine.measure import Measured, disagreement, measure
from node_agent.engine.rosters import (
    NO_ROSTER,
    Closed,
)
from node_agent.engine.signals import unless
from node_agent.peers.protocol import Peer

if TYPE_CHECKING:
    from node_agent.engine.round import Round

log = logging.getLogger(__name__)

T = TypeVar("T")
_REFUSALS_BEFORE_VOID = 2


class TermOver(Exception):
    """This term will not succeed; the next one begins."""


class Terms:
    """The part of a round that depends on leaders; ``number`` is the current term."""

    def __init__(self, round_: Round) -> None:
        self._round = round_
        self._node, self._context, self._book = round_.node, round_.context, round_.book
        self.liveness = Liveness(self._node, self._context)
        self._gathering = Gathering(round_)
        self._closing = Closing(round_, self.liveness)
        self.number = 0
        self._merging: dict[bytes, asyncio.Task[Merged]] = {}
        """By ``updates_root``."""
        self._measured: dict[bytes, Measured] = {}
        """By merged root."""

    @property
    def leader(self) -> Peer:
        """Who leads the current term."""
        return self._book.leader(self.number)

    def resume(self, term: int) -> None:
        """Begin with this term: it was reached before a restart."""
        self.number = max(self.number, term)

    async def play(self) -> None:
        """Go through the terms; the caller cancels when the round is agreed, or over."""
        context, book = self._context, self._book
        await self._gathering.quorum_commits()
        if context.round == 0:
            # The others' training processes may be late; unless somebody has begun already.
            await self._gathering.ready_organizations()
            await self.liveness.gather(
                lambda n: n in book.ready or bool(book.proposals) or bool(book.holdings),
                self._node.ready_timeout_s,
            )
        self._enter(max(self.number, book.term_of_majority()))
        while True:
            limit_s = self._limit_s()
            try:
                async with asyncio.timeout(limit_s):
                    await unless(self._play_term(self.number), self._overruled(self.number))
            except TermOver as why:
                log.info("Round %d, term %d is over: %s", context.round, self.number, why)
            except TimeoutError:
                log.info(
                    "Round %d, term %d: nothing in %.1f s", context.round, self.number, limit_s
                )
            await self._quorum_lives()
            if self.number >= book.last_term:
                log.error("Round %d has no terms left: it waits to be reopened.", context.round)
                await asyncio.Event().wait()
            self._enter(max(self.number + 1, book.term_of_majority()))

    def _limit_s(self) -> float:
        """Doubles per term, up to the time after which the round may be reopened anyway."""
        terms = self._context.terms
        first_s = terms.leader_timeout / 1000
        return min(first_s * 2.0**self.number, max(first_s, terms.stall_time))

    def _enter(self, term: int) -> None:
        """Reach a term; its leader needs to know who holds what."""
        self.number = term
        if term > 0:
            self._closing.tell_holdings(term)

    async def _overruled(self, term: int) -> None:
        """Return, by ``TermOver``, when the others have given this term up."""
        book = self._book
        await self._node.changed.until(lambda: book.refused(term) or book.term_of_majority() > term)
        raise TermOver("refused by most" if book.refused(term) else "most are further")

    async def _quorum_lives(self) -> None:
        """Below quorum terms would only run away from those who are to come back."""
        book, changed = self._book, self._node.changed
        while True:
            living = await self.liveness.quorum()
            if living >= self._context.quorum:
                return
            self._round.paused_with(living)
            with suppress(TimeoutError):
                async with asyncio.timeout(Liveness.EVERY_S):
                    await changed.until(lambda: book.term_of_majority() > self.number)
                    return

    async def _play_term(self, term: int) -> None:
        leads = self.leader.registration == self._node.registration
        closed = None
        if self._context.round:
            closed = await (
                self._closing.close(term)
                if leads
                else self._heard(lambda: self._book.rosters.get(term))
            )
        merged = await self._merge(closed)
        if self._context.local and await self._spoken_for(term):
            await asyncio.Event().wait()  # as below
        measured = await self._measure(merged)
        mine = self._attestation(term, closed, merged, measured)
        if self._context.local:
            self._attest(mine)
        elif leads:
            if self._void_allowed(term):
                mine = replace(mine, shares=b"")
            self._attest(mine)
        else:
            proposal = await self._heard(lambda: self._book.proposals.get(term))
            reason = disagreement(
                self._context, measured, mine, proposal, void_allowed=self._void_allowed(term)
            )
            if reason is None:
                self._attest(proposal)
            else:
                self._refuse(proposal, reason)
        await asyncio.Event().wait()  # until overruled, or time is up, or a quorum has signed

    async def _spoken_for(self, term: int) -> bool:
        """Under `local`: does a lower-numbered node of our organization give its row?

        Not one that is dead, or takes half of the time that there is.
        """
        own = self._context.by_registration[self._node.registration]
        elders = [
            peer
            for peer in self._context.members
            if peer.party == own.party and peer.registration < own.registration
        ]
        if not elders:
            return False
        heard: asyncio.Future[bool] = asyncio.ensure_future(
            self._node.changed.until(
                lambda: any(self._book.attested(each.registration, term) for each in elders)
            )
        )
        lost: asyncio.Future[list[None]] = asyncio.gather(
            *(self.liveness.lost(each, trusted=False) for each in elders)
        )
        try:
            both: set[asyncio.Future[Any]] = {heard, lost}
            await asyncio.wait(
                both, timeout=self._limit_s() / 2, return_when=asyncio.FIRST_COMPLETED
            )
            return heard.done()
        finally:
            heard.cancel()
            lost.cancel()
            await asyncio.gather(heard, lost, return_exceptions=True)

    async def _heard(self, predicate: Callable[[], T | None]) -> T:
        """Wait for the leader's word; ``TermOver`` as soon as he is found dead."""
        return await unless(self._node.changed.until(predicate), self._watch(self.leader))

    async def _watch(self, leader: Peer) -> Any:
        committed = self._context.round == 0 or leader.registration in self._book.updates
        await self.liveness.lost(leader, trusted=committed)
        raise TermOver(f"its leader {leader.spiffe_id} does not answer, or has nothing that trains")

    # -- merging and attesting

    async def _merge(self, closed: Closed | None) -> Merged:
        context, node = self._context, self._node
        if closed is None:
            path = await node.model(context, context.base_root)
            return Merged(context.base_root, path, (), (), (), {}, ())
        key = closed.roster.updates_root
        if key not in self._merging:
            loop = asyncio.get_running_loop()
            self._round.state, started = "exchanging", loop.time()
            checks = await fetch_updates(node, context, closed)
            self._round.state, exchanged = "merging", loop.time()
            self._round.report.exchange_s += exchanged - started
            # Kept over the end of a term: the next one wants the same merge.
            self._merging[key] = asyncio.ensure_future(merge_roster(node, context, closed, checks))
            merged = await asyncio.shield(self._merging[key])
            self._round.report.merge_s += loop.time() - exchanged
            return merged
        return await asyncio.shield(self._merging[key])

    async def _measure(self, merged: Merged) -> Measured:
        if merged.root not in self._measured:
            self._round.state = "measuring"
            measured = await measure(self._node, self._context, merged)
            self._measured[merged.root] = measured
            self._round.report.evaluate_s += measured.evaluate_s
            self._round.report.score_s += measured.score_s
        return self._measured[merged.root]

    def _attestation(
        self, term: int, closed: Closed | None, merged: Merged, measured: Measured
    ) -> Attestation:
        self._round.state = "attesting"
        return Attestation(
            self._context.run_id,
            self._context.round,
            self._context.prev,
            term,
            closed.root if closed else NO_ROSTER,
            merged.root,
            measured.loss_before_e9,
            measured.loss_after_e9,
            measured.metric_e9,
            pack_shares(measured.shares),
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
            reason[:REASON_LIMIT_CHARS],
        )
        self._round.say(self._node.sign_once(self._context, "refusal", proposal.term, refusal))
