"""What an auditor of the quadratic trainings brings along: how they measure, and how they train."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from node_agent.callbacks.measure import Measured
from scripts.quadratic_trainer import OPTIMUM, RATE, Quadratic
from tests.engine.swarms import OFFSETS

ROUNDS, STEPS = 6, 8


def measure(
    base: Path, merged: Path, points: Sequence[tuple[float, float]], gradient: Path | None
) -> Measured:
    """As the training processes do it."""
    model = Quadratic(base, 0.0, idle=False)
    return model.evaluate(base, merged, tuple(points), gradient)


def train(organizations: frozenset[str]) -> float:
    """The loss of a training by these, from zero; all sites weigh the same."""
    weights = np.zeros(1)
    for _ in range(ROUNDS if organizations else 0):
        ends = []
        for name in sorted(organizations):
            own = weights.copy()
            for _ in range(STEPS):
                own += RATE * (OPTIMUM + OFFSETS[name] - own)
            ends.append(own)
        weights = np.mean(ends, axis=0)
    return 0.5 * float(np.mean((weights - OPTIMUM) ** 2))
