"""A leader's part: closing the roster of his term, on what the others say they hold."""

from __future__ import annotations

from typing import TYPE_CHECKING

from contracts.messages import Holdings, Roster
from node_agent.engine.liveness import Liveness
from node_agent.engine.rosters import (
    NO_ROSTER,
    Closed,
    Evidence,
    bitmap,
    bound_updates,
    root_of,
    roster_body,
)

if TYPE_CHECKING:
    from node_agent.engine.round import Round


class Closing:
    """Rosters and holdings of one round, as this node signs them."""

    def __init__(self, round_: Round, liveness: Liveness) -> None:
        self._round, self._liveness = round_, liveness
        self._node, self._context, self._book = round_.node, round_.context, round_.book

    async def close(self, term: int) -> Closed:
        """Close and tell the roster of a term that this node leads."""
        context, book = self._context, self._book
        evidence: Evidence = {}
        bound = None
        if term == 0:
            await self._liveness.gather(
                lambda n: n in book.updates, context.terms.quorum_grace / 1000
            )
        else:
            evidence = await self._gather_evidence(term)
            bound = bound_updates(context, evidence, book.closed)
        updates = bound or {
            peer.registration: book.updates[peer.registration]
            for peer in context.members
            if peer.registration in book.updates
        }
        roster = Roster(
            context.run_id, context.round, context.prev, term, tuple(updates),
            root_of(context, updates),
        )  # fmt: skip
        named = {held.message.roster_root for held in evidence.values()} - {NO_ROSTER}
        body = roster_body(roster, updates, evidence, [book.closed[root] for root in named])
        self._round.say(self._node.sign_once(context, "roster", term, roster, body))
        return book.rosters[term]

    async def _gather_evidence(self, term: int) -> Evidence:
        """Holdings of more than half; asks those who play by a roster that never came here."""
        book = self._book
        asked: set[int] = set()
        while True:
            evidence = book.evidence(term)
            if book.has_majority(evidence):
                return evidence
            for number in set(book.unknown(term)) - asked:
                asked.add(number)
                peer = self._context.by_registration[number]
                self._node.background(self._round.catch_up([peer]))
            await self._node.changed.until(
                lambda: (
                    book.has_majority(book.evidence(term)) or bool(set(book.unknown(term)) - asked)
                )
            )

    def tell_holdings(self, term: int) -> None:
        """Say which updates are here: the leader of a later term rests his roster on it."""
        context, latest = self._context, self._book.latest()
        held = [
            self._node.store.path(context.round, update.message.root).exists()
            for update in (latest.updates.values() if latest else ())
        ]
        holdings = Holdings(
            context.run_id, context.round, context.prev, term,
            self._node.registration, latest.root if latest else NO_ROSTER, bitmap(held),
        )  # fmt: skip
        self._round.say(self._node.sign_once(context, "holdings", term, holdings))
