"""Losses and metrics become whole numbers of 1e-9."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from metering.errors import MeteringError
from metering.fixed import LOSS_LIMIT_E9, from_fixed, metric_to_fixed, to_fixed


@given(st.integers(0, 2**53))
def test_a_fixed_point_loss_survives_the_way_to_float_and_back(loss_e9: int) -> None:
    assert abs(to_fixed(from_fixed(loss_e9)) - loss_e9) <= loss_e9 * 2**-52


def test_halves_go_to_the_even_neighbor() -> None:
    half = 2.0**-10  # times 1e9 is 976562.5, exactly
    assert to_fixed(half) == 976_562
    assert to_fixed(3 * half) == 2_929_688


@pytest.mark.parametrize("loss", [math.nan, math.inf, -math.inf, -1e-8, 1.9e10])
def test_a_loss_that_cannot_be_settled_is_refused_with_a_hint(loss: float) -> None:
    with pytest.raises(MeteringError) as refusal:
        to_fixed(loss)
    assert refusal.value.hint


def test_the_largest_loss_still_fits_the_contract() -> None:
    assert to_fixed(math.nextafter(LOSS_LIMIT_E9 / 1e9, 0)) <= LOSS_LIMIT_E9


def test_metrics_may_be_negative_but_not_undefined() -> None:
    assert metric_to_fixed(-0.25) == -250_000_000
    with pytest.raises(MeteringError):
        metric_to_fixed(math.nan)
    with pytest.raises(MeteringError):
        metric_to_fixed(-1e10)
