"""Losses and metrics as whole numbers of 1e-9, the form in which they are signed and settled."""

from __future__ import annotations

import math
from fractions import Fraction

from metering.errors import MeteringError

SCALE = 10**9
LOSS_LIMIT_E9 = 2**64 - 1  # uint64 on chain
METRIC_LIMIT_E9 = 2**63 - 1  # int64 on chain


def to_fixed(loss: float) -> int:
    """Return a loss in 1e-9, rounded half to even from its exact binary value.

    Raises:
        MeteringError: not a number, infinite, negative, or from 1.8e10 up.
    """
    fixed = _fixed(loss, "loss")
    if not 0 <= fixed <= LOSS_LIMIT_E9:
        raise MeteringError(
            f"a loss of {loss} cannot be settled: it must be from 0 to {LOSS_LIMIT_E9 // SCALE}",
            hint="A loss that can be negative (a density's, say) needs a constant added to it.",
        )
    return fixed


def metric_to_fixed(metric: float) -> int:
    """Return a metric in 1e-9, rounded half to even; it may be negative."""
    fixed = _fixed(metric, "metric")
    if not -METRIC_LIMIT_E9 <= fixed <= METRIC_LIMIT_E9:
        raise MeteringError(f"a metric of {metric} is beyond {METRIC_LIMIT_E9 // SCALE}")
    return fixed


def from_fixed(value_e9: int) -> float:
    """Return the float nearest to a fixed-point number."""
    return value_e9 / SCALE


def _fixed(value: float, what: str) -> int:
    if not math.isfinite(value):
        raise MeteringError(
            f"the {what} is {value}",
            hint="The model has diverged on the validation data: lower the learning rate.",
        )
    return round(Fraction(value) * SCALE)
