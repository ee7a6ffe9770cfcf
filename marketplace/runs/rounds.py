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


def split_otherwise(
    session: Session, run: RunFigures, samples: Mapping[int, int]
) -> tuple[dict[int, int], dict[int, int] | None]:
    """What each party had been credited, had each round been split equally, or by samples.

    Equal parts are rounded down round by round; parts by samples once, in the end.

    Args:
        session: reads.
        run: the run.
        samples: party to samples.

    Returns:
        Wei by party; the second is None if a party that was paid has not told its samples.
    """
    query = sa.select(Round.paid, Round.credited_wei).where(
        Round.run_id == run.run_id, Round.paid != 0
    )
    everybody = party_set(party.number for party in run.agreement.parties)
    equal, size = _Sums(everybody), _Sums(everybody)
    known, members = party_set(samples), _Members(samples)
    told = True
    for signed, credited_wei in session.execute(query):
        if not credited_wei:
            continue
        paid = signed & _ALL
        equal.add(paid, credited_wei // paid.bit_count())
        told = told and not paid & ~known
        if told:
            # Rounded up, by next to nothing: whole parts stay whole.
            size.add(paid, -(-(credited_wei << _FRACTION_BITS) // members.total(paid)))
    by_size = {
        party: samples[party] * part >> _FRACTION_BITS for party, part in size.by_party().items()
    }
    return equal.by_party(), by_size if told else None


class _Sums:
    """Adds the same to all members of a set, many times: by what those who are missing miss."""

    def __init__(self, everybody: int) -> None:
        self._everybody = everybody
        self._all = 0
        self._missed: dict[int, int] = {}  # by party

    def add(self, members: int, amount: int) -> None:
        self._all += amount
        missing = self._everybody & ~members
        while missing:
            party = missing.bit_length() - 1
            self._missed[party] = self._missed.get(party, 0) + amount
            missing -= 1 << party

    def by_party(self) -> dict[int, int]:
        """The sums that are not zero."""
        sums = {each: self._all - self._missed.get(each, 0) for each in parties_in(self._everybody)}
        return {party: amount for party, amount in sums.items() if amount}


class _Members:
    """How many samples a set of parties has in all; most rounds have the same sets."""

    def __init__(self, samples: Mapping[int, int]) -> None:
        self._samples = samples
        self._known: dict[int, int] = {}

    def total(self, members: int) -> int:
        if members not in self._known:
            self._known[members] = sum(self._samples[party] for party in parties_in(members))
        return self._known[members]
