"""Rows of `local` metering on paper: which of them could be sealed together, and which never."""

from __future__ import annotations

from dataclasses import replace

import pytest

from contracts.messages import Attestation, pack_shares
from contracts.votes import common_part
from node_agent.engine.context import METERING_LOCAL, NO_DATA_E9
from node_agent.engine.measure import _own_numbers
from node_agent.engine.rows import needs_gradient, opinion
from node_agent.errors import MessageRefused
from node_agent.trainer import Evaluation
from tests.engine.rounds import Table

FOUR = [0, 1, 2, 3]


def table(**changes: int) -> Table:
    return Table(FOUR, metering=METERING_LOCAL, **changes)


def row(own: int, *, share: int = 3000) -> bytes:
    return pack_shares([(party, 0 if party == own else share) for party in FOUR])


def test_rows_add_up_to_a_seal_although_they_differ() -> None:
    paper = table()
    for node in (0, 1, 2):
        paper.book.add(paper.attestation(node, shares=row(node), loss_after=node))
    tally = paper.book.sealable()
    assert tally
    assert tally.attestation == common_part(tally.signed[2])
    assert [tally.signed[node].loss_after for node in FOUR[:3]] == [0, 1, 2]
    assert tally.listed == (0, 1, 2, 3)


def test_rows_over_other_organizations_do_not_add_up() -> None:
    paper = table()
    for node in (0, 1):
        paper.book.add(paper.attestation(node, shares=row(node)))
    paper.book.add(paper.attestation(2, shares=pack_shares([(0, 0), (1, 0), (2, 0)])))
    assert paper.book.sealable() is None
    paper.book.add(paper.attestation(3, shares=row(3)))
    assert paper.book.sealable()


@pytest.mark.parametrize(
    ("shares", "why"),
    [
        ([(0, 1), (1, 3000), (2, 3000), (3, 3000)], "own organization"),
        ([(0, 0), (1, 5834), (2, 4166), (3, 0)], "more than 5833"),
        ([(0, 0), (1, 3751), (2, 0), (3, 0)], "more than 3750"),
    ],
)
def test_a_row_for_which_the_contract_would_refuse_the_whole_seal_is_refused(
    shares: list[tuple[int, int]], why: str
) -> None:
    paper = table()
    with pytest.raises(MessageRefused, match=why):
        paper.book.add(paper.attestation(0, shares=pack_shares(shares)))


def test_round_0_has_nobody_to_speak_of() -> None:
    paper = Table(FOUR, round_number=0, metering=METERING_LOCAL)
    with pytest.raises(MessageRefused, match="round 0"):
        paper.book.add(paper.attestation(0, shares=row(0)))
    assert paper.book.add(paper.attestation(0))


def test_who_signs_two_rows_contradicts_itself_and_is_proven() -> None:
    found: list[tuple[int, Attestation, Attestation]] = []
    paper = table()
    paper.book._proven = lambda n, first, second: found.append((n, first[0], second[0]))  # type: ignore[assignment,arg-type]  # a test's ear
    paper.book.add(paper.attestation(1, shares=row(1)))
    with pytest.raises(MessageRefused, match="otherwise"):
        paper.book.add(paper.attestation(1, shares=row(1, share=2000)))
    ((number, first, second),) = found
    assert number == 1
    assert replace(first, shares=second.shares) == second


def test_who_has_no_scores_or_no_part_abstains() -> None:
    context = table().context
    peers = context.members
    assert needs_gradient(context, peers)
    assert not needs_gradient(context, peers[:3])
    assert opinion(context, 0, peers, None) == tuple((party, 0) for party in FOUR)
    assert opinion(context, 0, peers[1:], [1.0, 1.0, 1.0]) == ((1, 0), (2, 0), (3, 0))
    assert dict(opinion(context, 0, peers, [5.0, 1.0, 1.0, 2.0])) == {
        0: 0,
        1: 2500,
        2: 2500,
        3: 5000,
    }


def test_no_data_is_not_the_worst_loss_there_is() -> None:
    nothing = Evaluation(float("nan"), float("nan"), float("nan"), 0.0, has_data=False)
    assert _own_numbers(nothing) == (NO_DATA_E9, NO_DATA_E9, 0)
    assert _own_numbers(Evaluation(1.0, float("inf"), 0.0, 0.0))[1] == NO_DATA_E9 - 1
