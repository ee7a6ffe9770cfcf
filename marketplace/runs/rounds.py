"""The rounds of a run, a piece at a time: how each was opened, and what all of them come to."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.orm import Session

from contracts.parties import parties_in, party_set
from marketplace.nodes.registry import Registered
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


@dataclass(frozen=True, slots=True)
class Beginning:
    """How a round began.

    Attributes:
        counted: numbers of the parties that count in it.
        snapshot_version: of the membership.
        root: 0x-hex root of the model that it began with.
    """

    counted: frozenset[int]
    snapshot_version: int
    root: str

    def enrolled(self, nodes: Iterable[Registered]) -> list[Registered]:
        """Those of the nodes that were enrolled."""
        return [each for each in nodes if each.belongs_to(self.snapshot_version)]

    def members(self, nodes: Iterable[Registered]) -> list[Registered]:
        """Those of the nodes that were enrolled, and whose party counts."""
        return [each for each in self.enrolled(nodes) if each.party in self.counted]


def beginnings(
    session: Session, run: RunFigures, rounds: Sequence[Round] = ()
) -> Mapping[int, Beginning]:
    """How each of these sealed rounds, which follow each other, began, and the next if it has.

    Without any, the open round. One that stalled is opened more than once; the last one counts.
    """
    first = rounds[0].number if rounds else run.rounds
    before = session.execute(
        sa.select(Event.block, Round.merged_root)
        .join(Round, Round.event_id == Event.id)
        .where(Round.run_id == run.run_id, Round.number == first - 1)
    ).one_or_none()
    # A round is opened where the one before it is sealed.
    since, root = before or (run.created.block, initial_root(session, run))
    query = sa.select(Event.data).where(
        Event.kind == "RoundOpened", Event.run_id == run.run_id, Event.block >= since
    )
    if rounds and rounds[-1].number < run.rounds - 1:
        query = query.where(Event.block <= rounds[-1].event.block)
    ordered = query.order_by(Event.block, Event.log_index)
    opened = {data["round"]: data for data in session.scalars(ordered)}
    return {
        number: Beginning(
            frozenset(parties_in(int(opened[number]["active"]))),
            opened[number]["snapshot_version"],
            root,
        )
        for number, root in enumerate([root, *(row.merged_root for row in rounds)], first)
        if number in opened
    }


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
