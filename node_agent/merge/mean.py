"""The weighted mean of the updates, bit for bit the same at every node.

Per element, in float64, in the order of the files:

    merged = round((k_1·u_1 + k_2·u_2 + … + k_n·u_n) / (k_1 + … + k_n))

where the k are the weights as whole numbers in lowest terms, each product, sum and the quotient is
rounded on its own (IEEE 754, to nearest even, never fused), and the last rounding goes to the
tensor's dtype: integers to the nearest, ties to even; bool to true if more than half of the weight
says so. Weights up to 2**29 times a float32 are exact in float64, so equal updates merge to
themselves, and equal weights (all k = 1) cost no multiplication.

Files come in the order that all nodes share (by SPIFFE ID): float64 sums depend on it.
"""

from __future__ import annotations

import math
import os
from collections.abc import Mapping, Sequence
from fractions import Fraction

import numpy as np

from node_agent.errors import ParameterError
from node_agent.merge.blocks import BLOCK, Kernel, merge_blockwise
from node_agent.parameters.convert import narrow, widen
from node_agent.parameters.format import ParameterFile, Written


def merge(
    files: Sequence[ParameterFile],
    weights: Sequence[int | float | Fraction],
    out_path: str | os.PathLike[str],
    metadata: Mapping[str, str],
    *,
    threads: int = 2,
) -> Written:
    """Write the weighted mean of parameter files of one schema.

    Args:
        files: in the order that all nodes share.
        weights: one a file, positive; only their ratios count. Whole numbers and fractions (an
            organization's weight shared by its nodes) are exact, floats are taken as they are.
        out_path: appears once complete.
        metadata: of the merged file.
        threads: how many blocks are computed at a time; does not change the result.

    Raises:
        ParameterError: no files, schemas that differ, or weights that are no weights.
    """
    if len(weights) != len(files):
        raise ParameterError(f"{len(files)} files to merge, but {len(weights)} weights")
    ratio = in_lowest_terms(weights)
    return merge_blockwise(files, out_path, metadata, lambda: _kernel(ratio), threads=threads)


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


def _kernel(ratio: Sequence[int]) -> Kernel:
    factors, total = [float(number) for number in ratio], float(sum(ratio))
    total_space, term_space = np.empty(BLOCK), np.empty(BLOCK)

    def mean(tag: str, inputs: Sequence[np.ndarray]) -> np.ndarray:
        accumulated = total_space[: len(inputs[0])]
        term = term_space[: len(inputs[0])]
        for place, (factor, numbers) in enumerate(zip(factors, inputs, strict=True)):
            target = term if place else accumulated
            widen(tag, numbers, target)
            if factor != 1.0:
                np.multiply(target, factor, out=target)
            if place:
                np.add(accumulated, term, out=accumulated)
        if total != 1.0:
            np.divide(accumulated, total, out=accumulated)
        return narrow(tag, accumulated)

    return mean
