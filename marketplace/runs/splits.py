"""What the rounds of a run would have paid, had they been split otherwise."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.orm import Session

from contracts.parties import parties_in, party_set
from marketplace.runs.readmodel import RunFigures
from marketplace.runs.rounds import in_row
from marketplace.storage.models import Round

_FRACTION_BITS = 64


@dataclass(frozen=True, slots=True)
class Split:
    """What the parties of a run had been credited, had its rounds been split otherwise.

    Attributes:
        equal_wei: by party, had each round been split equally; rounded down round by round.
        size_wei: by party, had each been split by samples, rounded down once, in the end; None if a
            party that was paid has not told its samples.
    """

    equal_wei: Mapping[int, int]
    size_wei: Mapping[int, int] | None


def split_otherwise(
    session: Session, runs: Sequence[RunFigures], samples: Mapping[str, Mapping[int, int]]
) -> Mapping[str, Split]:
    """Other splits of what was credited, by run.

    Args:
        session: reads.
        runs: of which.
        samples: by agreement and party, of those that told them.
    """
    sums = {
        run.run_id: _Sums(
            [party.number for party in run.agreement.parties], samples.get(run.agreement.id, {})
        )
        for run in runs
    }
    query = sa.select(Round.run_id, Round.paid, Round.credited_wei).where(
        Round.run_id.in_(sums), Round.paid != 0, Round.credited_wei != 0
    )
    for run_id, paid, credited_wei in session.execute(query):
        sums[run_id].add(in_row(paid), credited_wei)
    return {run_id: each.split() for run_id, each in sums.items()}


class _Sums:
    """Adds up the rounds of a run: what all members of a round get, less what others missed.

    Nearly everybody is in nearly every round: who is missing is told in few steps.
    """

    def __init__(self, parties: Sequence[int], samples: Mapping[int, int]) -> None:
        self._everybody = party_set(parties)
        self._samples = {party: samples.get(party, 0) for party in parties}
        self._all_samples = sum(self._samples.values())
        self._known = party_set(samples)
        self._told = True
        # Of one member in wei, and of one sample in 2^-64 wei: in all rounds, and in those missed.
        self._member_wei, self._sample_fractions = 0, 0
        self._missed_wei = dict.fromkeys(parties, 0)
        self._missed_fractions = dict.fromkeys(parties, 0)

    def add(self, paid: int, credited_wei: int) -> None:
        """Adds a round that paid these parties."""
        missing = parties_in(self._everybody & ~paid)
        member_wei = credited_wei // paid.bit_count()
        self._member_wei += member_wei
        for party in missing:
            self._missed_wei[party] += member_wei
        self._told = self._told and not paid & ~self._known
        if self._told:
            members = self._all_samples - sum(self._samples[party] for party in missing)
            # Rounded up, by next to nothing: whole parts stay whole.
            fractions = -(-(credited_wei << _FRACTION_BITS) // members)
            self._sample_fractions += fractions
            for party in missing:
                self._missed_fractions[party] += fractions

    def split(self) -> Split:
        """What it all comes to."""
        equal_wei = {party: self._member_wei - missed for party, missed in self._missed_wei.items()}
        size_wei = {
            party: samples * (self._sample_fractions - missed) >> _FRACTION_BITS
            for (party, samples), missed in zip(
                self._samples.items(), self._missed_fractions.values(), strict=True
            )
        }
        return Split(equal_wei, size_wei if self._told else None)
