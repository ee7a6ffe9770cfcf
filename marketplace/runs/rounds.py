"""The rounds of a run, a piece at a time: how each was opened, and what all of them come to."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.orm import Session

from contracts.parties import parties_in
from marketplace.nodes.registry import Registered
from marketplace.runs.readmodel import RunFigures, initial_root
from marketplace.storage.models import Event, Round
from marketplace.storage.pieces import By, Piece, cut

MOST_POINTS = 200
"""Of a curve: more than a screen tells apart."""
_ALL = 2**64 - 1


def rounds_of(session: Session, run: RunFigures, piece: Piece) -> Sequence[Round]:
    """Sealed rounds in order. Raises InvalidInput: the piece's place is none."""
    query = sa.select(Round).where(Round.run_id == run.run_id)
    return session.scalars(cut(query, piece, By(Round.number))).all()


def latest_rounds(session: Session, run: RunFigures, most: int) -> Sequence[Round]:
    """The last sealed rounds, in order."""
    return rounds_of(session, run, Piece(most, (max(run.rounds - most, 0) - 1,)))


@dataclass(frozen=True, slots=True)
class Opening:
    """How a round was opened.

    Attributes:
        counted: numbers of the parties that count in it.
        snapshot_version: of the membership.
        root: 0x-hex root of the model that it starts from.
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


def openings_of(
    session: Session, run: RunFigures, rounds: Sequence[Round] = ()
) -> Mapping[int, Opening]:
    """How each of these sealed rounds, which follow each other, was opened, and the next if it has.

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
        number: Opening(
            frozenset(parties_in(int(opened[number]["active"]))),
            opened[number]["snapshot_version"],
            root,
        )
        for number, root in enumerate([root, *(row.merged_root for row in rounds)], first)
        if number in opened
    }


def in_row(paid: int) -> int:
    """The set of the parties in a round's row, by its `paid`."""
    return paid & _ALL


def count_of(paid: int) -> int:
    """How many parties a round's row has, by its `paid`."""
    return in_row(paid).bit_count()


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
