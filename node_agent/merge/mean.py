"""The weighted mean of the updates, bit for bit the same at every node.

Per element, in float64, in the order of the files:

    merged = round((k_1·u_1 + k_2·u_2 + … + k_n·u_n) / (k_1 + … + k_n))

where the k are the weights as whole numbers in lowest terms, each product, sum and the quotient is
rounded on its own (IEEE 754, to nearest even, never fused), and the last rounding goes to the
tensor's dtype: integers to the nearest, ties to even; bool to true if more than half of the weight
says so. Weights up to 2**29 times a float32 are exact in float64, so equal updates merge to
themselves, and equal weights (all k = 1) cost no multiplication.

Files come in the order that all nodes share (by SPIFFE ID): float64 sums depend on it.

Source: McMahan et al., Communication-efficient learning of deep networks from decentralized data,
AISTATS 2017 (FedAvg).
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from fractions import Fraction

import numpy as np

from node_agent.errors import ParameterError
from node_agent.merge.blocks import BLOCK, Block, merge_blockwise
from node_agent.merge.weights import in_lowest_terms
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
    return merge_blockwise(files, out_path, metadata, lambda: MeanKernel(ratio), threads=threads)


class MeanKernel:
    """The mean of a block; belongs to one thread. Inputs of weight zero are not read."""

    def __init__(self, ratio: Sequence[int]) -> None:
        self._factors = [(place, float(k)) for place, k in enumerate(ratio) if k]
        self._total = float(sum(ratio))
        self._accumulated, self._term = np.empty(BLOCK), np.empty(BLOCK)

    def __call__(self, block: Block, inputs: Sequence[np.ndarray]) -> np.ndarray:
        return narrow(block.tag, self.in_float64(block.tag, inputs))

    def in_float64(self, tag: str, inputs: Sequence[np.ndarray]) -> np.ndarray:
        """Return the mean before its last rounding, in memory that the next call overwrites."""
        accumulated = self._accumulated[: len(inputs[0])]
        term = self._term[: len(inputs[0])]
        target = accumulated
        for place, factor in self._factors:
            widen(tag, inputs[place], target)
            if factor != 1.0:
                np.multiply(target, factor, out=target)
            if target is term:
                np.add(accumulated, term, out=accumulated)
            target = term
        if self._total != 1.0:
            np.divide(accumulated, self._total, out=accumulated)
        return accumulated
