"""Rows of `local` metering that the chain does not have yet.

The seal of a round carries the rows that its poster knew by then; the next seal brings those that
came later, and after the last round whoever is there. An organization whose row was left out
although others had time to bring it adds its own from then on.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from contracts.clerk import Book as Waiting
from contracts.messages import Attestation, from_json, struct_hash, unpack_shares
from contracts.parties import parties_in
from contracts.votes import common_part
from node_agent.engine.book import Book
from node_agent.engine.chain import LateRows, RunChain
from node_agent.engine.context import RoundContext
from node_agent.journal import Journal

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Row:
    """One attestation as its node signed it."""

    party: int
    registration: int
    attestation: Attestation
    signature: str


class LateBooks:
    """Finds the rows that are missing on chain, in what this node has heard and signed itself."""

    def __init__(
        self,
        chain: RunChain,
        journal: Journal,
        registration: int,
        heard: Callable[[], Sequence[Book]],
    ) -> None:
        self._chain, self._journal, self._registration = chain, journal, registration
        self._heard = heard
        """The books of the rounds that were sealed last."""
        self._unheard: tuple[int, int] | None = None
        """A round whose seals went without our row, and the block since when the next may."""
        self._left_out = False

    async def collect(self) -> LateRows | None:
        """What a seal should bring along. ``ChainError``."""
        waiting = await self._chain.waiting_rows()
        if waiting is None:
            return None
        chosen: dict[int, _Row] = {}
        for row in self._rows(waiting):
            best = chosen.setdefault(row.party, row)
            if row.registration < best.registration:
                chosen[row.party] = row
        return _late(chosen.values()) if chosen else None

    async def follow(self, context: RoundContext) -> None:
        """A round has opened: see to our own row of the one before. ``ChainError``."""
        await self._check_on_others(context)
        party = context.by_registration[self._registration].party
        waiting = await self._chain.waiting_rows()
        own = [] if waiting is None else [r for r in self._rows(waiting) if r.party == party]
        own = [row for row in own if row.registration == self._registration]
        if waiting is None or not own:
            return
        if self._left_out:
            await self._chain.add_rows(_late(own))
        else:
            self._unheard = waiting.round, await self._chain.block_number()

    async def _check_on_others(self, context: RoundContext) -> None:
        if self._unheard is None or self._unheard[0] + 1 >= context.round:
            return
        number, since = self._unheard
        self._unheard = None
        party = context.by_registration[self._registration].party
        if not await self._chain.row_counted(number, party, since):
            log.warning(
                "Our row of round %d was left out by others; from now on we add it ourselves.",
                number,
            )
            self._left_out = True

    def _rows(self, waiting: Waiting) -> Iterator[_Row]:
        """Rows of parties whose row is missing, that the contract will take."""
        missing = parties_in(waiting.roster & ~waiting.heard)
        listed = parties_in(waiting.roster) if waiting.round else ()
        for book in self._heard():
            party_of = {n: peer.party for n, peer in book.context.by_registration.items()}
            for tally in book.tallies.values():
                if struct_hash(tally.attestation) != waiting.sealed_hash:
                    continue
                for number, signature in tally.signatures.items():
                    row = _Row(party_of[number], number, tally.signed[number], signature)
                    if row.party in missing and _listed(row.attestation) == listed:
                        yield row
        for row in self._own(waiting):
            if row.party in missing and _listed(row.attestation) == listed:
                yield row

    def _own(self, waiting: Waiting) -> Iterator[_Row]:
        """After a restart nothing is left of the others' rows, but our own is in the journal."""
        party = self._chain.party_of(self._registration)
        for entry in self._journal.signed_in("attestation", self._chain.run_id, waiting.round):
            attestation = from_json(Attestation, entry.message)
            if party is not None and struct_hash(common_part(attestation)) == waiting.sealed_hash:
                yield _Row(party, self._registration, attestation, entry.signature)


def _listed(attestation: Attestation) -> tuple[int, ...]:
    return tuple(party for party, _ in unpack_shares(attestation.shares))


def _late(rows: Iterable[_Row]) -> LateRows:
    return {row.registration: (row.attestation, row.signature) for row in rows}
