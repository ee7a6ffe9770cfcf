"""A node signs the leader's numbers only when its own agree."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from metering.agreement import Disagreement, Measurement, Tolerances, agrees

MINE = Measurement(
    loss_before_e9=692_000_000,
    loss_after_e9=500_000_000,
    metric_e9=910_000_000,
    shares=((0, 5000), (1, 3000), (2, 2000)),
)
TOKENS = 10**21


def test_one_agrees_with_oneself() -> None:
    assert agrees(MINE, MINE, available_wei=TOKENS) is None


@pytest.mark.parametrize(
    ("changes", "what"),
    [
        ({"loss_before_e9": 692_000_000 + 70_201}, "loss before"),
        ({"loss_after_e9": 500_000_000 - 51_001}, "loss after"),
        ({"metric_e9": 910_000_000 - 9_550_001}, "metric"),
        ({"shares": ((0, 5101), (1, 2899), (2, 2000))}, "credit of party 0"),
        ({"shares": ((0, 5000), (2, 2000), (3, 3000))}, "credit of party 1"),
    ],
)
def test_a_proposal_just_out_of_tolerance_is_refused_by_name(
    changes: dict[str, object], what: str
) -> None:
    refusal = agrees(MINE, replace(MINE, **changes), available_wei=TOKENS)
    assert refusal is not None
    assert refusal.what.startswith(what)
    assert abs(refusal.mine - refusal.proposed) > refusal.allowed


@pytest.mark.parametrize(
    "changes",
    [
        {"loss_before_e9": 692_000_000 + 70_200},
        {"loss_after_e9": 500_000_000 - 51_000},
        {"metric_e9": 910_000_000 - 9_550_000},
        {"shares": ((0, 5100), (1, 2900), (2, 2000))},
    ],
)
def test_a_proposal_at_the_edge_of_tolerance_is_signed(changes: dict[str, object]) -> None:
    assert agrees(MINE, replace(MINE, **changes), available_wei=TOKENS) is None


def test_shares_do_not_matter_where_nothing_is_paid() -> None:
    reversed_row = replace(MINE, shares=((0, 0), (1, 1000), (2, 9000)))
    assert agrees(MINE, reversed_row, available_wei=0) is None
    # A round that pays a millionth of the pool is noise as well.
    assert agrees(MINE, reversed_row, available_wei=10**15, pool_wei=TOKENS) is None
    assert agrees(MINE, reversed_row, available_wei=10**17, pool_wei=TOKENS) is not None


def test_the_void_row_is_refused_by_those_who_would_be_paid() -> None:
    void = replace(MINE, shares=())
    assert agrees(MINE, void, available_wei=TOKENS) is not None
    assert agrees(void, MINE, available_wei=TOKENS) is not None
    assert agrees(void, void, available_wei=TOKENS) is None


def test_a_consortium_may_set_wider_tolerances() -> None:
    proposal = replace(MINE, loss_after_e9=500_400_000)
    assert agrees(MINE, proposal, available_wei=TOKENS) is not None
    wide = Tolerances(loss_relative_ppm=1_000)
    assert agrees(MINE, proposal, available_wei=TOKENS, tolerances=wide) is None


def test_a_refusal_says_what_and_by_how_much() -> None:
    refusal = Disagreement("loss after [1e-9]", 500, 800, 100)
    assert str(refusal) == (
        "loss after [1e-9]: measured 500, proposed 800, 300 apart where 100 are allowed"
    )


@given(st.integers(0, 2**64 - 1), st.integers(-200, 200))
def test_the_loss_tolerance_is_relative_with_a_floor(loss_e9: int, percent: int) -> None:
    """`percent` of the tolerance, which is 1e-4 of the loss + 1e-6."""
    allowed = 1_000 + loss_e9 // 10_000
    shifted = max(0, loss_e9 + allowed * percent // 100)
    mine = replace(MINE, loss_after_e9=loss_e9)
    verdict = agrees(mine, replace(mine, loss_after_e9=shifted), available_wei=TOKENS)
    assert (verdict is None) == (abs(shifted - loss_e9) <= allowed)
