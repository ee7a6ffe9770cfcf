"""From scores to rows of basis points."""

from __future__ import annotations

import math
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from metering.errors import MeteringError
from metering.split import (
    FULL_BIPS,
    VOID,
    check_row,
    equal_bips,
    equal_row,
    metered_bips,
    metered_row,
    node_weights,
    organization_scores,
    size_bips,
    size_row,
)

score_lists = st.lists(st.floats(-1e3, 1e3), max_size=64)


@given(score_lists)
def test_a_metered_split_never_exceeds_the_whole_and_leaves_less_than_a_point_each(
    phi: list[float],
) -> None:
    bips = metered_bips(phi)
    if max(phi, default=0) <= 0:
        assert bips == ()
    else:
        assert FULL_BIPS - len(phi) < sum(bips) <= FULL_BIPS


@given(score_lists)
def test_each_share_is_the_exact_proportion_rounded_down(phi: list[float]) -> None:
    positive = [max(Fraction(score), Fraction(0)) for score in phi]
    for share, score in zip(metered_bips(phi), positive, strict=False):
        assert share == math.floor(FULL_BIPS * score / sum(positive))


def test_harm_is_not_paid_and_not_charged_to_the_others() -> None:
    assert metered_bips([3.0, -5.0, 1.0]) == (7500, 0, 2500)


@pytest.mark.parametrize("phi", [[], [0.0, 0.0], [-1.0, 0.0, -2.0]])
def test_without_any_positive_score_the_row_is_void(phi: list[float]) -> None:
    assert metered_bips(phi) == ()
    assert metered_row(dict(enumerate(phi))) == (VOID if len(phi) != 2 else equal_row([0, 1]))


def test_one_who_did_all_gets_all_of_it() -> None:
    assert metered_bips([0.1, 0.0, 0.0]) == (FULL_BIPS, 0, 0)
    assert metered_bips([5e-324]) == (FULL_BIPS,)


def test_scores_that_are_no_numbers_are_refused() -> None:
    with pytest.raises(MeteringError):
        metered_bips([1.0, math.nan])


def test_nodes_of_one_organization_are_added_up_in_party_order() -> None:
    totals = organization_scores([0.5, 1.0, -0.25, 2.0], [3, 0, 3, 1])
    assert list(totals.items()) == [(0, 1.0), (1, 2.0), (3, 0.25)]
    with pytest.raises(MeteringError):
        organization_scores([0.5], [0, 1])


def test_the_equal_split_rounds_down() -> None:
    assert equal_bips(0) == ()
    assert equal_bips(3) == (3333, 3333, 3333)
    assert equal_row([7, 2, 7]) == ((2, 5000), (7, 5000))


@given(st.lists(st.integers(0, 10**12), min_size=1, max_size=20))
def test_the_split_by_size_is_proportional_and_rounds_down(samples: list[int]) -> None:
    bips = size_bips(samples)
    total = sum(samples)
    assert bips == (tuple(count * FULL_BIPS // total for count in samples) if total else ())


def test_a_negative_number_of_samples_is_refused() -> None:
    with pytest.raises(MeteringError):
        size_bips([5, -1])


def test_two_organizations_always_split_equally() -> None:
    assert metered_row({4: 0.9, 1: -0.2}) == ((1, 5000), (4, 5000))
    assert size_row({4: 900, 1: 0}) == ((1, 5000), (4, 5000))


def test_from_three_organizations_on_the_measure_decides() -> None:
    assert metered_row({2: 3.0, 0: 1.0, 1: 0.0}) == ((0, 2500), (1, 0), (2, 7500))
    assert size_row({2: 300, 0: 100, 1: 0}) == ((0, 2500), (1, 0), (2, 7500))
    assert size_row({0: 0, 1: 0, 2: 0}) == VOID


@pytest.mark.parametrize(
    "row",
    [
        [(1, 5000), (0, 5000)],
        [(0, 5000), (0, 5000)],
        [(0, 5000), (1, 5001)],
        [(0, -1)],
        [(2**16, 1)],
    ],
)
def test_a_row_that_the_contract_would_refuse_is_refused_here(row: list[tuple[int, int]]) -> None:
    with pytest.raises(MeteringError):
        check_row(row)


def test_an_organizations_weight_is_shared_evenly_by_its_nodes() -> None:
    assert node_weights([5, 2, 5, 5, 7, 7], {2: 4, 5: 6, 7: 1}) == [12, 24, 12, 12, 3, 3]
    assert node_weights([0, 1], {0: 3, 1: 1}) == [3, 1]
    assert node_weights([], {}) == []


def test_three_nodes_of_one_organization_count_as_one() -> None:
    """The same update from one node or from three: weight and score add up to the same."""
    one, three = node_weights([0, 1], {0: 2, 1: 1}), node_weights([0, 0, 0, 1], {0: 2, 1: 1})
    assert Fraction(one[0], sum(one)) == Fraction(sum(three[:3]), sum(three))
    whole = metered_row(organization_scores([0.5, 0.25, 0.25], [0, 1, 2]))
    parts = organization_scores([0.125, 0.25, 0.125, 0.25, 0.25], [0, 0, 0, 1, 2])
    assert metered_row(parts) == whole


@given(st.lists(st.floats(-1, 1), min_size=2, max_size=12), st.randoms())
def test_the_order_of_an_organizations_nodes_changes_no_bit(phi: list[float], chance) -> None:
    nodes = [(score, index % 3) for index, score in enumerate(phi)]
    ordered = organization_scores(*zip(*nodes, strict=True))
    chance.shuffle(nodes)
    assert organization_scores(*zip(*nodes, strict=True)) == ordered
