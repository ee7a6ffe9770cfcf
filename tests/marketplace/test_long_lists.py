"""Long lists come in pieces, long runs in sums: nothing is lost, nothing told twice."""

from __future__ import annotations

import random
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

from contracts.parties import party_set
from marketplace.errors import InvalidInput
from marketplace.runs.rounds import losses
from marketplace.runs.splits import split_otherwise
from marketplace.storage import migrate
from marketplace.storage.database import Database
from marketplace.storage.models import Event, Negotiation, Round
from marketplace.storage.pieces import By, Piece, cut

RUN, OTHER = "0x" + "ab" * 32, "0x" + "ba" * 32
AGREEMENT = "0x" + "ef" * 32
WALLET = "0x" + "cd" * 20
PARTIES = 5


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    made = Database(database_url)
    migrate.upgrade(made.engine)
    yield made
    made.close()


def draft(name: str, updated_s: int) -> Negotiation:
    times = {"created_s": 1, "updated_s": updated_s}
    return Negotiation(id=name, title=name, state="open", started_by=WALLET, **times)


def after(session: Session, place: tuple[Any, ...], limit: int = 2) -> list[Negotiation]:
    order = By(Negotiation.updated_s, falling=True), By(Negotiation.id)
    return list(session.scalars(cut(sa.select(Negotiation), Piece(limit, place), *order)))


def test_pieces_follow_each_other_while_others_write(database: Database) -> None:
    database.write_now(lambda session: session.add_all(draft(name, 7) for name in "abcde"))
    seen, place = [], ()
    while piece := database.read_now(after, place):
        seen += [each.id for each in piece]
        place = (piece[-1].updated_s, piece[-1].id)
        newer = draft(f"z{len(seen)}", 8 + len(seen))  # comes to the front, and hides nobody
        database.write_now(lambda session, row=newer: session.add(row))
    assert seen == list("abcde")


def test_a_place_of_another_order_is_refused(database: Database) -> None:
    for place in ((7,), (7, "a", 1), ("7", "a"), (7, 1), (True, "a"), (2**70, ""), (7, "\0")):
        with pytest.raises(InvalidInput, match="no cursor"):
            database.read_now(after, place)


def fill(session: Session, rounds: int, seed: int, run_id: str = RUN) -> list[tuple[set[int], int]]:
    """Rounds that were paid to some or all; who and how much."""
    draw, told = random.Random(seed), []
    for number in range(rounds):
        event = Event(
            chain_id=1,
            block=number,
            block_hash=run_id,
            log_index=number,
            transaction=RUN,
            kind="Sealed",
            run_id=run_id,
            data={},
        )
        session.add(event)
        session.flush()
        paid = set(draw.sample(range(PARTIES), draw.randrange(PARTIES + 1)))
        amount_wei = draw.randrange(10**20) if paid else 0
        told.append((paid, amount_wei))
        session.add(
            Round(
                event_id=event.id,
                run_id=run_id,
                number=number,
                term=0,
                merged_root=RUN,
                loss_before_e9=0,
                loss_after_e9=10**9 - number,
                metric_e9=0,
                shares=[[party, 1] for party in sorted(paid)],
                rejects=[],
                signers=[],
                credited_wei=amount_wei,
                paid=party_set(paid),
            )
        )
    return told


def run_of(rounds: int, run_id: str = RUN) -> Any:
    parties = [SimpleNamespace(number=number) for number in range(PARTIES)]
    agreement = SimpleNamespace(id=AGREEMENT, parties=parties)
    return SimpleNamespace(run_id=run_id, rounds=rounds, agreement=agreement)


def test_other_splits_are_those_of_each_round_added_up(database: Database) -> None:
    rounds = {RUN: 60, OTHER: 25}
    samples = {party: 100 + 37 * party for party in range(PARTIES)}
    told = {
        run_id: database.write_now(fill, count, seed=3 + count, run_id=run_id)
        for run_id, count in rounds.items()
    }
    runs = [run_of(count, run_id) for run_id, count in rounds.items()]
    splits = database.read_now(split_otherwise, runs, {AGREEMENT: samples})
    for run_id in rounds:
        equal, size = splits[run_id].equal_wei, splits[run_id].size_wei
        assert size is not None
        for party in range(PARTIES):
            own = [(paid, wei) for paid, wei in told[run_id] if party in paid]
            assert equal[party] == sum(wei // len(paid) for paid, wei in own)
            by_size = sum(
                wei * samples[party] // sum(samples[each] for each in paid) for paid, wei in own
            )
            assert 0 <= size[party] - by_size <= len(own)  # rounded once, not each time


def test_without_the_samples_of_one_that_was_paid_there_is_no_split_by_size(
    database: Database,
) -> None:
    database.write_now(fill, 20, seed=4)
    for samples in ({AGREEMENT: {0: 5, 1: 5}}, {}):
        split = database.read_now(split_otherwise, [run_of(20)], samples)[RUN]
        assert split.size_wei is None
        assert sum(split.equal_wei.values()) > 0


def test_a_curve_keeps_its_ends_and_has_no_more_points_than_are_wanted(
    database: Database,
) -> None:
    database.write_now(fill, 123, seed=5)
    for most in (1, 2, 50, 122, 123, 124):
        points = database.read_now(losses, [run_of(123)], most)[RUN]
        assert points[0] == (0, 10**9)
        assert points[-1] == (122, 10**9 - 122)
        assert min(123, most // 2) <= len(points) <= most + 1
