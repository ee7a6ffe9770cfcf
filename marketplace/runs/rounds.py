"""The rounds of a run, a piece at a time: how each was opened, and what all of them come to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from contracts.parties import parties_in, party_set
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
