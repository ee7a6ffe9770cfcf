"""The rounds of a run, a piece at a time: how each was opened, and what all of them come to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from contracts.parties import party_set
from marketplace.runs.readmodel import RunFigures, initial_root
from marketplace.storage.models import Event, Round
from marketplace.storage.pieces import By, Piece, cut

MOST_POINTS = 200
"""Of a curve: more than a screen tells apart."""
_ALL = 2**64 - 1
_FRACTION_BITS = 64


def rounds_of(session: Session, run: RunFigures, piece: Piece) -> Sequence[Round]:
    """Sealed rounds in order. Raises InvalidInput: the piece's place is none."""
    query = sa.select(Round).where(Round.run_id == run.run_id)
    return session.scalars(cut(query, piece, By(Round.number))).all()


def latest_rounds(session: Session, run: RunFigures, most: int) -> Sequence[Round]:
    """The last sealed rounds, in order."""
    return rounds_of(session, run, Piece(most, (max(run.rounds - most, 0) - 1,)))


def openings(session: Session, run: RunFigures, rounds: Sequence[Round]) -> Mapping[int, Any]:
    """What `RoundOpened` said of each of these rounds, which follow each other, and of the next.

    A round that stalled is opened more than once, and the last one counts.
    """
    since = run.created.block
    if rounds and rounds[0].number > 0:
        # A round is opened where the one before it is sealed.
        since = session.scalars(
            sa.select(Event.block)
            .join(Round, Round.event_id == Event.id)
            .where(Round.run_id == run.run_id, Round.number == rounds[0].number - 1)
        ).one()
    query = sa.select(Event.data).where(
        Event.kind == "RoundOpened", Event.run_id == run.run_id, Event.block >= since
    )
    if rounds and rounds[-1].number < run.rounds - 1:
        query = query.where(Event.block <= rounds[-1].event.block)
    ordered = query.order_by(Event.block, Event.log_index)
    return {data["round"]: data for data in session.scalars(ordered)}


def last_opening(session: Session, run: RunFigures) -> Mapping[str, Any]:
    """What `RoundOpened` said last."""
    query = sa.select(Event.data).where(Event.kind == "RoundOpened", Event.run_id == run.run_id)
    latest = query.order_by(Event.block.desc(), Event.log_index.desc()).limit(1)
    opened: Mapping[str, Any] = session.scalars(latest).one()
    return opened


def roots_before(session: Session, run: RunFigures, rounds: Sequence[Round]) -> Mapping[int, str]:
    """Root of the model that each of these rounds, which follow each other, began with."""
    if not rounds:
        return {}
    first = rounds[0].number
    before = session.scalar(
        sa.select(Round.merged_root).where(Round.run_id == run.run_id, Round.number == first - 1)
    )
    roots = [before or initial_root(session, run), *(row.merged_root for row in rounds)]
    return {row.number: root for row, root in zip(rounds, roots, strict=False)}


def count_of(paid: int) -> int:
    """How many parties a round's row has, by its `paid`."""
    return (paid & _ALL).bit_count()


def losses(
    session: Session, runs: Sequence[RunFigures], most: int = MOST_POINTS
) -> Mapping[str, list[tuple[int, int]]]:
    """(round, loss in 1e-9) of each run, evenly chosen; the first and the last are among them."""
    chosen = [
        sa.and_(
            Round.run_id == run.run_id,
            sa.or_(
                Round.number % -(-run.rounds // most) == 0,
                Round.number == run.rounds - 1,
            ),
        )
        for run in runs
        if run.rounds
    ]
    found: dict[str, list[tuple[int, int]]] = {run.run_id: [] for run in runs}
    if not chosen:
        return found
    query = sa.select(Round.run_id, Round.number, Round.loss_after_e9).where(sa.or_(*chosen))
    for run_id, number, loss in session.execute(query.order_by(Round.run_id, Round.number)):
        found[run_id].append((number, loss))
    return found


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
        sums[run_id].add(paid & _ALL, credited_wei)
    return {run_id: each.split() for run_id, each in sums.items()}


class _Sums:
    """Adds up the rounds of a run: what all members of a round get, less what others missed.

    Nearly everybody is in nearly every round: who is missing is told in few steps.
    """

    def __init__(self, parties: Sequence[int], samples: Mapping[int, int]) -> None:
        self._parties = parties
        self._everybody = party_set(parties)
        self._samples = {party: samples.get(party, 0) for party in parties}
        self._all_samples = sum(self._samples.values())
        self._known = party_set(samples)
        self._told = True
        # Shares of one member, and of one sample in 2^-64 wei: of all rounds, and of those missed.
        self._equal, self._size = 0, 0
        self._equal_missed, self._size_missed = dict.fromkeys(parties, 0), dict.fromkeys(parties, 0)

    def add(self, paid: int, credited_wei: int) -> None:
        """Adds a round that paid these parties."""
        missing, left = [], self._everybody & ~paid
        while left:
            missing.append(left.bit_length() - 1)
            left -= 1 << missing[-1]
        equal = credited_wei // paid.bit_count()
        self._equal += equal
        for party in missing:
            self._equal_missed[party] += equal
        self._told = self._told and not paid & ~self._known
        if self._told:
            members = self._all_samples - sum(self._samples[party] for party in missing)
            # Rounded up, by next to nothing: whole parts stay whole.
            size = -(-(credited_wei << _FRACTION_BITS) // members)
            self._size += size
            for party in missing:
                self._size_missed[party] += size

    def split(self) -> Split:
        """What it all comes to."""
        equal = {party: self._equal - self._equal_missed[party] for party in self._parties}
        size = {
            party: samples * (self._size - self._size_missed[party]) >> _FRACTION_BITS
            for party, samples in self._samples.items()
        }
        return Split(equal, size if self._told else None)
