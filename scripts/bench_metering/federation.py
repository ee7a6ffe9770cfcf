"""Training together: all coalitions of sites at once, rounds of local steps and a merge.

Every coalition merges with equal weights, as organizations that agreed on nothing else weigh the
same, whatever their size. A coalition's run is a federation of its own: nobody outside matters.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from metering.contribution import retrain_shapley
from scripts.bench_metering.datasets import Data, Floats
from scripts.bench_metering.models import Model

ROUNDS = 10
STEPS = 5
RATE = 0.5
L2 = 1e-3

Coalition = frozenset[int]


@dataclass(frozen=True, slots=True)
class Step:
    """One merged round: base, shape (d,); updates as merged, shape (N, d); weights, sum 1."""

    base: Floats
    updates: Floats
    weights: tuple[float, ...]

    @property
    def merged(self) -> Floats:
        return np.asarray(self.weights) @ self.updates


@dataclass(frozen=True, slots=True)
class Federation:
    """The rounds of all together, and the final parameters of every coalition that was trained."""

    start: Floats
    steps: tuple[Step, ...]
    finals: Mapping[Coalition, Floats]


def local_training(model: Model, bases: Floats, data: Data) -> Floats:
    """Return the updates from B bases, shape (B, d): STEPS of full-batch gradient descent."""
    trained = bases.copy()
    for _ in range(STEPS):
        trained -= RATE * (model.gradient(trained, data) + L2 * trained)
    return trained - bases


def coalitions_of(n: int) -> list[Coalition]:
    """Return all coalitions of n sites but the empty one; that of all last."""
    return [frozenset(i for i in range(n) if mask >> i & 1) for mask in range(1, 1 << n)]


def train(model: Model, start: Floats, sites: Sequence[Data]) -> Federation:
    """Train every coalition of the sites for ROUNDS rounds, all in the same matrix products."""
    n = len(sites)
    coalitions = coalitions_of(n)
    inside = np.array([[i in coalition for i in range(n)] for coalition in coalitions])
    current = np.repeat(start[None], len(coalitions), axis=0)
    steps = []
    for _ in range(ROUNDS):
        total, of_all = np.zeros_like(current), np.empty((n, len(start)))
        for i, site in enumerate(sites):
            members = np.flatnonzero(inside[:, i])
            updates = local_training(model, current[members], site)
            total[members] += updates
            of_all[i] = updates[-1]
        steps.append(Step(current[-1].copy(), of_all, (1 / n,) * n))
        current += total / inside.sum(axis=1, keepdims=True)
    return Federation(start, tuple(steps), dict(zip(coalitions, current, strict=True)))


def utilities(model: Model, federation: Federation, data: Data) -> dict[Coalition, float]:
    """Return −loss of every coalition's final model; nobody's is the initial one."""
    losses = model.loss(np.array([federation.start, *federation.finals.values()]), data)
    keys = [Coalition(), *federation.finals]
    return {key: -float(loss) for key, loss in zip(keys, losses, strict=True)}


def true_values(model: Model, federation: Federation, test: Data) -> Floats:
    """Return each site's exact Shapley value of the trainings, in loss on the test set."""
    worth = utilities(model, federation, test)
    return retrain_shapley(worth.__getitem__, len(federation.steps[0].updates))
