"""Numbers go to float64 and back with one rounding, to the nearest, ties to even."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from node_agent.parameters.convert import (
    bfloat16_to_float32,
    float64_to_bfloat16,
    narrow,
    widen,
)

ALL_BITS = np.arange(2**16, dtype=np.uint16)
LARGEST = 0x7F7F


def exact(bits: int) -> Fraction:
    """The value of positive finite bfloat16 bits, by definition; infinity as the next power."""
    exponent, fraction = bits >> 7, bits & 0x7F
    if exponent == 0:
        return Fraction(fraction, 128) * Fraction(2) ** -126
    return (1 + Fraction(fraction, 128)) * Fraction(2) ** (exponent - 127)


def nearest_bits(value: float) -> int:
    """Search the nearest bfloat16, ties to even bits, with exact fractions."""
    magnitude = Fraction(abs(value))
    low, high = 0, LARGEST + 1
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if exact(middle) <= magnitude else (low, middle)
    below, above = magnitude - exact(low), exact(high) - magnitude
    bits = low if below < above or (below == above and low % 2 == 0) else high
    return bits | (0x8000 if math.copysign(1, value) < 0 else 0)


@settings(max_examples=500)
@given(st.floats(allow_nan=False, allow_infinity=False) | st.floats(width=32, allow_nan=False))
def test_float64_becomes_the_nearest_bfloat16(value: float) -> None:
    expected = nearest_bits(value) if math.isfinite(value) else np.float32(value).view("u4") >> 16
    assert float64_to_bfloat16(np.array([value]))[0] == expected


@settings(max_examples=300)
@given(st.integers(0, LARGEST), st.sampled_from([-1, 0, 1]), st.sampled_from([1.0, -1.0]))
def test_ties_and_their_closest_neighbors_are_rounded_once(bits, side: int, sign: float) -> None:
    """Through float32 the neighbors of a tie would become the tie."""
    tie = float((exact(bits) + exact(bits + 1)) / 2)
    value = sign * (math.nextafter(tie, math.inf * side) if side else tie)
    assert float64_to_bfloat16(np.array([value]))[0] == nearest_bits(value)


def test_every_bfloat16_survives_the_way_through_float64() -> None:
    wide = np.empty(2**16)
    widen("BF16", ALL_BITS, wide)
    back = narrow("BF16", wide)
    finite_or_infinite = ~np.isnan(wide)
    np.testing.assert_array_equal(back[finite_or_infinite], ALL_BITS[finite_or_infinite])


def test_nan_stays_nan_and_keeps_its_sign() -> None:
    nans = ALL_BITS[np.isnan(bfloat16_to_float32(ALL_BITS))]
    back = narrow("BF16", bfloat16_to_float32(nans).astype(np.float64))
    assert np.isnan(bfloat16_to_float32(back)).all()
    np.testing.assert_array_equal(back >> 15, nans >> 15)


def test_infinity_and_what_rounds_to_it() -> None:
    values = np.array([np.inf, -np.inf, 1e300, -3.4e38, 3.3895313892515355e38])
    assert narrow("BF16", values).tolist() == [0x7F80, 0xFF80, 0x7F80, 0xFF80, LARGEST]


@pytest.mark.parametrize(("tag", "low", "high"), [("I8", -128, 127), ("U8", 0, 255)])
def test_integers_are_rounded_half_to_even_and_kept_in_range(tag, low: int, high: int) -> None:
    values = np.array([0.5, 1.5, 2.5, 1e9, -1e9])
    assert narrow(tag, values).tolist() == [0, 2, 2, high, low]


def test_the_largest_int64_does_not_wrap_around() -> None:
    ends = np.array([2.0**63, -(2.0**63), 1e300])
    largest = 2**63 - 1024
    assert narrow("I64", ends).tolist() == [largest, -(2**63), largest]


def test_a_bool_is_true_above_one_half_and_any_byte_counts_once() -> None:
    assert narrow("BOOL", np.array([0.5, 0.51, 0.0, 1.0])).tolist() == [False, True, False, True]
    wide = np.empty(3)
    widen("BOOL", np.array([0, 1, 255], np.uint8).view(bool), wide)
    assert wide.tolist() == [0, 1, 1]


def test_float16_and_float32_overflow_to_infinity_without_a_warning() -> None:
    assert narrow("F16", np.array([1e9])).tolist() == [math.inf]
    assert narrow("F32", np.array([1e300])).tolist() == [math.inf]
