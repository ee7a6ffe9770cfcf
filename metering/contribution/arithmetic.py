"""Sums whose bits do not depend on the machine: elementwise additions in a fixed order."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from metering.errors import MeteringError

Floats = npt.NDArray[np.floating[Any]]
Float64s = npt.NDArray[np.float64]

BLOCK = 1 << 16  # elements summed at a time; part of the definition of `block_dot`


def block_dot(a: Floats, b: Floats) -> float:
    """Return ⟨a, b⟩ of two arrays of equal length, with the same bits on every machine.

    Products are float64; each block of `BLOCK` elements is summed by `halving_sum`, the block sums
    by `math.fsum`. No BLAS, no library reduction: their order depends on the processor.
    """
    if a.shape != b.shape or a.ndim != 1:
        raise MeteringError(f"cannot multiply shapes {a.shape} and {b.shape}")
    space = np.empty(BLOCK)
    partials = []
    for start in range(0, len(a), BLOCK):
        products = space[: min(BLOCK, len(a) - start)]
        np.copyto(products, a[start : start + BLOCK])
        np.multiply(products, b[start : start + BLOCK], out=products)
        partials.append(halving_sum(products))
    return math.fsum(partials)


def halving_sum(values: Float64s) -> float:
    """Add up a float64 array by adding its upper half to its lower half until one is left.

    Overwrites `values`. Elementwise additions only, so the order of all additions is fixed by the
    length; the rounding error grows with its logarithm. An odd element waits for the next pass.
    """
    length = len(values)
    while length > 1:
        half = length // 2
        lower, upper = values[:half], values[length - half : length]
        np.add(lower, upper, out=lower)
        length -= half
    return float(values[0]) if length else 0.0


def combined(
    factors: Sequence[float], arrays: Sequence[Float64s], members: Iterable[int]
) -> Float64s:
    """Return Σ factors[i]·arrays[i] over the members, added in ascending order; shape as arrays."""
    total = np.zeros_like(arrays[0], dtype=np.float64)
    for member in sorted(members):
        total += factors[member] * arrays[member]
    return total
