"""Weights as whole numbers: exact, and the same at every node."""

from __future__ import annotations

import math
from collections.abc import Sequence
from fractions import Fraction

from node_agent.errors import ParameterError

FINENESS = 1 << 28  # parts of one that chosen weights are counted in; times a float32: 52 bits


def in_lowest_terms(weights: Sequence[int | float | Fraction]) -> list[int]:
    """Return the smallest whole numbers in the ratio of `weights`."""
    if not all(math.isfinite(weight) and weight > 0 for weight in weights):
        raise ParameterError(f"weights must be positive numbers, got {list(weights)}")
    fractions = [Fraction(weight) for weight in weights]
    denominator = math.lcm(*(fraction.denominator for fraction in fractions))
    whole = [int(fraction * denominator) for fraction in fractions]
    divisor = math.gcd(*whole)
    ratio = [number // divisor for number in whole]
    if sum(ratio).bit_length() > 256:  # k·u has to stay far from the ends of float64
        raise ParameterError(f"the weights {list(weights)} are too far apart")
    return ratio


def in_bits(ratio: Sequence[int], bits: int) -> list[int]:
    """Return weights whose sum is below 2**bits: those given, or else rounded down, at least 1.

    Organizations' weights (below 2**16), shared by their nodes, fit 31 bits but in odd cases.
    """
    total, limit = sum(ratio), (1 << bits) - 1
    if total <= limit:
        return list(ratio)
    return [max(1, weight * (limit - len(ratio)) // total) for weight in ratio]


def in_parts(shares: Sequence[float]) -> list[int]:
    """Return shares (each in [0, 1]) as parts of `FINENESS`, rounded down.

    Down, so that a bound on what an update may move the model by survives the rounding, and a
    share too small to be counted is none.
    """
    return [math.floor(share * FINENESS) for share in shares]


def weighted_median(values: Sequence[float], ratio: Sequence[int]) -> float:
    """Return the value at half of the weight; the mean of two where the half falls between them."""
    total, reached = sum(ratio), 0
    ordered = sorted(zip(values, ratio, strict=True))
    for place, (value, weight) in enumerate(ordered):
        reached += weight
        if 2 * reached > total:
            return value
        if 2 * reached == total:
            return value + (ordered[place + 1][0] - value) / 2
    raise ParameterError("there is nothing to take a median of")
