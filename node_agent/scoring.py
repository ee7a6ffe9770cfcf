"""Dot products of the averaged gradient with every update: all that the daemon adds to a score.

The training process evaluates the model and leaves the gradient as a parameter file; here it is
multiplied with the updates' differences from the base, in one pass over all files.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Sequence
from itertools import accumulate

import numpy as np

from metering.contribution import BLOCK, halving_sum
from node_agent.errors import ParameterError
from node_agent.parameters.convert import widen
from node_agent.parameters.dtypes import FLOATS
from node_agent.parameters.format import ParameterFile


def dots(
    gradient: ParameterFile, base: ParameterFile, updates: Sequence[ParameterFile]
) -> list[float]:
    """Return ⟨gradient, update − base⟩ of every update, with the same bits on every machine.

    Float64 over fixed blocks of the gradient's tensors in name order; sums as in
    `metering.contribution.block_dot`. (The gradients differ a little from machine to machine, so
    scores agree within tolerance only; but no difference starts here.) One thread: a second one
    waits for the same memory.

    Args:
        gradient: float tensors of the base's shapes, in any float dtype; what has none (integer
            tensors, buffers) is left out and counts as zero.
        base: the parameters W that the round started from.
        updates: the parameters after local training, of the base's schema.

    Raises:
        ParameterError: files that do not belong together, or a gradient that is not finite.
    """
    names = _common_names(gradient, base, updates)
    of_gradient, of_base, *of_updates = (
        _Reader(file, names) for file in (gradient, base, *updates)
    )
    starts = range(0, of_gradient.length, BLOCK)
    partials = np.zeros((len(updates), len(starts)))
    space = np.empty((3, BLOCK))
    for block, start in enumerate(starts):
        g, w, u = space[:, : min(BLOCK, of_gradient.length - start)]
        of_gradient.read(start, g)
        of_base.read(start, w)
        for row, of_update in enumerate(of_updates):
            of_update.read(start, u)
            np.subtract(u, w, out=u)
            np.multiply(u, g, out=u)
            partials[row, block] = halving_sum(u)
    if not np.isfinite(partials).all():
        raise ParameterError(
            f"{gradient.path.name} times the updates is not finite",
            hint="The loss or its gradient overflows on the validation data.",
        )
    return [math.fsum(row) for row in partials.tolist()]


class _Reader:
    """Reads tensors of a file, laid end to end, as float64."""

    def __init__(self, file: ParameterFile, names: Sequence[str]) -> None:
        self._pieces = [(file.schema[name].dtype, file.tensor(name).reshape(-1)) for name in names]
        self._ends = list(accumulate(len(numbers) for _, numbers in self._pieces))
        self.length = self._ends[-1] if names else 0

    def read(self, start: int, out: np.ndarray) -> None:
        """Fill `out` with the numbers from element `start` on."""
        piece, filled = bisect_right(self._ends, start), 0
        while filled < len(out):
            tag, numbers = self._pieces[piece]
            offset = start + filled - (self._ends[piece] - len(numbers))
            part = numbers[offset : offset + len(out) - filled]
            widen(tag, part, out[filled : filled + len(part)])
            filled += len(part)
            piece += 1


def _common_names(
    gradient: ParameterFile, base: ParameterFile, updates: Sequence[ParameterFile]
) -> list[str]:
    for file in updates:
        difference = base.schema.difference(file.schema)
        if difference is not None:
            raise ParameterError(f"{file.path.name} is no update of the base: {difference}")
    for name, spec in gradient.schema.items():
        if spec.dtype not in FLOATS:
            raise ParameterError(f"tensor {name!r}: a gradient of dtype {spec.dtype}")
        if name not in base.schema or base.schema[name].shape != spec.shape:
            raise ParameterError(f"tensor {name!r}: the base has no tensor of the gradient's shape")
        if base.schema[name].dtype not in FLOATS:
            raise ParameterError(f"tensor {name!r}: the base's is not a float tensor")
    return list(gradient.schema)
