"""Coordinate median and trimmed mean: per element, the middle of the sites' values.

Sort a coordinate's values x_1 ≤ … ≤ x_n with their weights w_k (whole numbers, W in all), lay the
weights end to end on a line, and keep a window [a, b] in the middle of it:

    merged = Σ m_k·x_k / (b − a),   m_k = length of [w_1 + … + w_(k−1), w_1 + … + w_k] ∩ [a, b]

**Trimmed mean** of parameter β: a = β·W, b = W − β·W. An update that lies across the edge keeps
the part of its weight that is inside; with equal weights and whole β·n these are the n − 2·β·n
middle values of Yin et al., Byzantine-robust distributed learning, ICML 2018.

**Weighted median**: the window of width 1 around W/2. Weights are whole, so it lies within one
value's weight, or half in each of two: the value at half of the weight, and at a tie the mean of
the two that share it (with equal weights: the median as everyone knows it). The lower of the two
would pull every parameter down.

Lengths are integers in float64, values are float64; sums go from the smallest value up. Integers
and bools are merged by the same rule and rounded like a mean's (`parameters.convert.narrow`).
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate
from math import gcd

import numpy as np

from node_agent.merge.blocks import Block
from node_agent.merge.sorting import Network
from node_agent.merge.weights import in_bits
from node_agent.parameters.convert import bfloat16_to_float32, narrow, widen
from node_agent.parameters.dtypes import DTYPES, FLOATS

_WEIGHT_BITS = 29  # of a float64's significand, left over by a float32's
_WEIGHT_MASK = (1 << _WEIGHT_BITS) - 1
_SCRATCH = 1 << 19  # elements; fewer would stay in cache, but cost more calls


class CoordinateKernel:
    """Keeps the window [`low`, `high`] of `scale` times the weights; belongs to one thread."""

    def __init__(self, ratio: Sequence[int], scale: int, low: int, high: int) -> None:
        count = len(ratio)
        self._scale, self._low, self._high = float(scale), float(low), float(high)
        self._weights = np.array(ratio, np.int64)
        least, most = (
            [0, *accumulate(sorted(ratio, reverse=each))] for each in (False, True)
        )  # weight that the first k ranks can have
        self._kept = [
            rank
            for rank in range(count)
            if most[rank + 1] * scale > low and least[rank] * scale < high
        ]
        self._masses: list[float] | None = None  # of the kept ranks, where all weights are equal
        wanted: Sequence[int] = range(self._kept[-1] + 1)
        if set(ratio) == {1}:
            ends = [min(max(rank * scale, low), high) for rank in range(count + 1)]
            masses = [ends[rank + 1] - ends[rank] for rank in self._kept]
            self._masses = [float(mass // gcd(*masses)) for mass in masses]
            wanted = self._kept
        self._network = Network(count, wanted)
        rows = self._network.scratch + count
        self._step = max(1 << 10, _SCRATCH // rows)
        self._space = np.empty((rows, self._step))

    def __call__(self, block: Block, inputs: Sequence[np.ndarray]) -> np.ndarray:
        tag = block.tag
        merged = np.empty(len(inputs[0]), DTYPES[tag].storage)
        for start in range(0, len(merged), self._step):
            part = [numbers[start : start + self._step] for numbers in inputs]
            merged[start : start + self._step] = narrow(tag, self._middle(tag, part))
        return merged

    def _middle(self, tag: str, inputs: Sequence[np.ndarray]) -> np.ndarray:
        if tag not in FLOATS:
            return self._of_integers(tag, inputs)
        floats = [in_float32(tag, numbers) for numbers in inputs]
        if self._masses is not None:
            return self._of_equals(floats, self._masses)
        return self._of_unequals(floats)

    def _of_equals(self, floats: Sequence[np.ndarray], masses: Sequence[float]) -> np.ndarray:
        length = len(floats[0])
        scratch = [row.view(np.float32)[:length] for row in self._space]
        middle, term = np.zeros(length), np.empty(length)
        for values, mass in zip(self._network.run(floats, scratch), masses, strict=True):
            np.copyto(term, values)
            if mass != 1.0:
                np.multiply(term, mass, out=term)
            np.add(middle, term, out=middle)  # from +0 on, so no zero comes out as −0
        return np.divide(middle, sum(masses), out=middle)

    def _of_unequals(self, floats: Sequence[np.ndarray]) -> np.ndarray:
        """Sort float64 numbers that carry their weight where the float32 leaves bits free."""
        space = self._space[:, : len(floats[0])]
        packed, scratch = space[: len(floats)], space[len(floats) :]
        np.stack(floats, out=packed, casting="same_kind")
        bits = packed.view(np.int64)
        np.bitwise_or(bits, self._weights[:, None], out=bits)
        ranked = self._network.run(list(packed), list(scratch))
        weights = [row.view(np.int64) & _WEIGHT_MASK for row in ranked]
        for row in (each.view(np.int64) for each in ranked):
            np.bitwise_and(row, ~_WEIGHT_MASK, out=row)
        return self._window_mean(ranked, weights)

    def _of_integers(self, tag: str, inputs: Sequence[np.ndarray]) -> np.ndarray:
        values = np.empty((len(inputs), len(inputs[0])))
        for row, numbers in zip(values, inputs, strict=True):
            widen(tag, numbers, row)
        order = np.argsort(values, axis=0, kind="stable")
        return self._window_mean(np.take_along_axis(values, order, axis=0), self._weights[order])

    def _window_mean(
        self, values: Sequence[np.ndarray] | np.ndarray, weights: Sequence[np.ndarray] | np.ndarray
    ) -> np.ndarray:
        """Return the mean of ascending float64 values, by what the window keeps of each."""
        middle, reached, mass, after = np.zeros((4, len(values[0])))
        before = np.full_like(middle, self._low)
        for rank in range(self._kept[-1] + 1):
            np.multiply(weights[rank], self._scale, out=mass)
            np.add(reached, mass, out=reached)
            if rank < self._kept[0]:
                continue
            np.maximum(reached, self._low, out=after)
            np.minimum(after, self._high, out=after)
            np.subtract(after, before, out=mass)
            np.multiply(mass, values[rank], out=mass)
            np.add(middle, mass, out=middle)
            before, after = after, before
        return np.divide(middle, self._high - self._low, out=middle)


def median_kernel(ratio: Sequence[int]) -> CoordinateKernel:
    """Return the weighted coordinate median."""
    ratio = in_bits(ratio, _WEIGHT_BITS)
    return CoordinateKernel(ratio, 2, sum(ratio) - 1, sum(ratio) + 1)


def trimmed_kernel(ratio: Sequence[int], trim_e6: int) -> CoordinateKernel:
    """Return the mean without `trim_e6` [1e-6, below 500000] of the weight on either side."""
    ratio = in_bits(ratio, _WEIGHT_BITS)
    total = sum(ratio)
    return CoordinateKernel(ratio, 10**6, trim_e6 * total, (10**6 - trim_e6) * total)


def in_float32(tag: str, numbers: np.ndarray) -> np.ndarray:
    """Return float numbers of any tag as float32, exactly; float32 itself is not copied."""
    if tag == "BF16":
        return bfloat16_to_float32(numbers)
    return numbers.astype(np.float32, copy=False)
