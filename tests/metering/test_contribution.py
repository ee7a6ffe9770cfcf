"""Quadrature, scores and dot products."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from metering.contribution import (
    BLOCK,
    GAUSS_LEGENDRE,
    block_dot,
    efficiency_gap,
    halving_sum,
    scores,
)
from metering.errors import MeteringError


@pytest.mark.parametrize("points", [3, 5, 7])
def test_the_points_are_those_of_gauss_and_legendre(points: int) -> None:
    nodes, weights = np.polynomial.legendre.leggauss(points)
    expected = np.column_stack([(nodes + 1) / 2, weights / 2])
    np.testing.assert_allclose(GAUSS_LEGENDRE[points], expected, rtol=0, atol=1e-15)


@pytest.mark.parametrize("points", [3, 5, 7])
def test_n_points_integrate_polynomials_up_to_degree_2n_minus_1(points: int) -> None:
    def integral(degree: int) -> float:
        return math.fsum(q * s**degree for s, q in GAUSS_LEGENDRE[points])

    for degree in range(2 * points):
        assert integral(degree) == pytest.approx(1 / (degree + 1), abs=1e-14)
    assert integral(2 * points) != pytest.approx(1 / (2 * points + 1), abs=1e-10)


def test_scores_scale_the_weights_to_one_and_turn_descent_into_gain() -> None:
    assert scores([1, 3], [-2.0, 4.0]) == (0.5, -3.0)
    assert scores([10, 30], [-2.0, 4.0]) == scores([1, 3], [-2.0, 4.0])


@pytest.mark.parametrize("weights", [[1.0], [1.0, 0.0], [1.0, -1.0], [1.0, math.nan]])
def test_weights_that_are_no_weights_are_refused(weights: list[float]) -> None:
    with pytest.raises(MeteringError):
        scores(weights, [0.1, 0.2])


def test_the_efficiency_gap_is_relative_to_the_change_of_the_loss() -> None:
    assert efficiency_gap([0.3, 0.1], 1.0, 0.6) == pytest.approx(0)
    assert efficiency_gap([0.3, 0.2], 1.0, 0.6) == pytest.approx(0.25)
    assert efficiency_gap([-0.3, -0.2], 0.6, 1.0) == pytest.approx(0.25)


def test_a_loss_that_hardly_changes_shows_no_gap_for_what_float32_cannot_tell() -> None:
    assert efficiency_gap([4e-7], 0.7, 0.7) < 0.01
    assert efficiency_gap([4e-5], 0.7, 0.7) > 0.01
    assert efficiency_gap([0.0], 0.0, 0.0) == 0


@given(st.lists(st.floats(-1e6, 1e6), max_size=70))
def test_halving_adds_up_everything_once(values: list[float]) -> None:
    magnitude = math.fsum(abs(value) for value in values)
    assert halving_sum(np.array(values, float)) == pytest.approx(
        math.fsum(values), abs=1e-14 * magnitude
    )


@pytest.mark.parametrize("length", [0, 1, 1000, BLOCK, BLOCK + 1, 3 * BLOCK + 17])
def test_a_dot_product_is_right_to_float64(length: int) -> None:
    rng = np.random.default_rng(length)
    a, b = rng.standard_normal((2, length)).astype(np.float32)
    exact = math.fsum(a.astype(float) * b.astype(float))
    assert block_dot(a, b) == pytest.approx(exact, rel=1e-12, abs=1e-15 * length)


def test_a_dot_product_does_not_depend_on_the_layout_in_memory() -> None:
    rng = np.random.default_rng(1)
    a, b = rng.standard_normal((2, 2 * BLOCK + 5))
    spread, shifted = np.zeros((len(a), 3)), np.zeros(len(b) * 8 + 1, np.uint8)[1:].view(float)
    spread[:, 1], shifted[:] = a, b
    assert block_dot(spread[:, 1], shifted) == block_dot(a, b)


def test_arrays_of_different_lengths_have_no_dot_product() -> None:
    with pytest.raises(MeteringError, match="shapes"):
        block_dot(np.zeros(2), np.zeros(3))
