"""Coordinate median and trimmed mean against definitions computed with fractions."""

from __future__ import annotations

from fractions import Fraction
from itertools import product
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from node_agent.merge.blocks import Block
from node_agent.merge.coordinate import median_kernel, trimmed_kernel
from node_agent.merge.sorting import Network
from tests.merge.sites import merged, merged_w, site
from tests.parameters.models import every_dtype

FLOATS = st.floats(-(2.0**99), 2.0**99, width=32)
SITES = st.lists(st.tuples(FLOATS, st.integers(1, 9)), min_size=1, max_size=9)


def line_up(sites) -> list[Fraction]:
    """Every value, ascending, as often as its weight says."""
    return sorted(Fraction(value) for value, weight in sites for _ in range(weight))


def exact_median(sites) -> Fraction:
    clones = line_up(sites)
    return (clones[(len(clones) - 1) // 2] + clones[len(clones) // 2]) / 2


def exact_trimmed(sites, trim: Fraction) -> Fraction:
    """Cut the line of weights at both ends and average what is left, piece by piece."""
    left = right = trim * sum(weight for _, weight in sites)
    rest = [[Fraction(value), Fraction(weight)] for value, weight in sorted(sites)]
    while left >= rest[0][1]:
        left -= rest.pop(0)[1]
    rest[0][1] -= left
    while right >= rest[-1][1]:
        right -= rest.pop()[1]
    rest[-1][1] -= right
    return sum(value * weight for value, weight in rest) / sum(weight for _, weight in rest)


def by_kernel(kernel, sites) -> float:
    inputs = [np.array([value], np.float32) for value, _ in sites]
    return float(kernel(Block("F32", 0, 1, 0), inputs)[0])


def near(got: float, exact: Fraction, sites) -> bool:
    scale = max(abs(value) for value, _ in sites)
    return abs(Fraction(got) - exact) <= Fraction(2) ** -24 * abs(exact) + Fraction(
        scale * 2.0**-48 + 2.0**-149
    )


@pytest.mark.parametrize("count", range(1, 10))
def test_a_network_sorts_all_zeros_and_ones_so_it_sorts_everything(count: int) -> None:
    """Knuth's zero-one principle: all inputs of zeros and ones, as columns of one array."""
    columns = np.array(list(product([0, 1], repeat=count)), np.float32).T.copy()
    for wanted in ([*range(count)], [(count - 1) // 2, count // 2], [0], [count - 1]):
        network = Network(count, set(wanted))
        scratch = np.empty((network.scratch, columns.shape[1]), np.float32)
        got = network.run(list(columns), list(scratch))
        np.testing.assert_array_equal(got, np.sort(columns, axis=0)[sorted(set(wanted))])


def test_eight_arrays_are_sorted_by_the_fewest_comparators_known() -> None:
    assert len(Network(8, range(8))._steps) == 2 * 19


@given(SITES)
def test_the_median_is_the_value_at_half_of_the_weight(sites) -> None:
    got = by_kernel(median_kernel([weight for _, weight in sites]), sites)
    assert near(got, exact_median(sites), sites)


@given(SITES, st.sampled_from([1, 100_000, 250_000, 499_999]))
def test_the_trimmed_mean_is_the_mean_of_the_middle_weight(sites, trim_e6: int) -> None:
    got = by_kernel(trimmed_kernel([weight for _, weight in sites], trim_e6), sites)
    assert near(got, exact_trimmed(sites, Fraction(trim_e6, 10**6)), sites)


@pytest.mark.parametrize(
    ("values", "weights", "median"),
    [
        ([1, 2, 30], [1, 1, 1], 2),
        ([1, 2, 3, 30], [1, 1, 1, 1], 2.5),
        ([1, 2, 30], [1, 1, 2], 16),  # half of the weight exactly: the mean of both sides
        ([1, 2, 30], [1, 1, 3], 30),
        ([1, 2, 30], [5, 3, 2], 1.5),
        ([7], [3], 7),
    ],
)
def test_medians_that_one_can_check_by_hand(tmp_path, values, weights, median: float) -> None:
    rows = [[value, -value] for value in values]
    assert merged_w("coordinate-median", np.array(rows), weights, tmp_path).tolist() == [
        median,
        -median,
    ]


def test_a_fifth_trimmed_of_five_leaves_the_middle_three(tmp_path: Path) -> None:
    rows = np.array([[-900.0], [1], [2], [6], [900]])
    assert merged_w("trimmed-mean", rows, [1] * 5, tmp_path).tolist() == [3]
    # Of three, a fifth of the weight is 0.6 of an update; 0.4 of either outer one stays.
    three = merged_w("trimmed-mean", rows[1:4], [1] * 3, tmp_path)
    assert three[0] == np.float32((0.4 * 1 + 2 + 0.4 * 6) / 1.8)


@pytest.mark.parametrize("rule", ["coordinate-median", "trimmed-mean"])
@pytest.mark.parametrize("weights", [[1, 1, 1, 1, 1], [3, 1, 4, 1, 5]])
def test_every_dtype_is_merged_by_the_same_rule(tmp_path, rule: str, weights) -> None:
    length = 997
    models = [every_dtype(seed, length) for seed in range(5)]
    files = [site(tmp_path, n, model, ["BF16"]) for n, model in enumerate(models)]
    file, outcome = merged(rule, files, weights, tmp_path)
    assert outcome.coefficients is None
    for tag in ("F32", "F16", "I64", "I32", "I16", "I8", "U8", "BOOL"):
        for place in (0, 500, length - 1):
            sites = [
                (float(model[tag][place]), weight)
                for model, weight in zip(models, weights, strict=True)
            ]
            exact = (
                exact_median(sites)
                if rule == "coordinate-median"
                else exact_trimmed(sites, Fraction(1, 5))
            )
            got = float(file.tensor(tag)[place])
            unit = {"F32": 1e-7, "F16": 1e-3}.get(tag, 0.5)
            assert abs(got - exact) <= unit * (max(1, abs(exact)) if unit < 0.5 else 1) + 1e-12


def test_zeros_of_either_sign_come_out_as_plus_zero(tmp_path: Path) -> None:
    rows = np.array([[-0.0], [0.0], [-0.0]])
    for weights in ([1, 1, 1], [1, 2, 2]):
        assert not np.signbit(merged_w("coordinate-median", rows, weights, tmp_path)).any()
