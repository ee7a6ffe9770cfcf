"""Evaluators: each sees the same rounds through its own data."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from metering.contribution import METHODS, Round, Scores
from metering.fixed import to_fixed
from scripts.bench_metering.datasets import Data, Floats
from scripts.bench_metering.federation import Step
from scripts.bench_metering.models import Model


@dataclass(frozen=True, slots=True)
class View:
    """What one evaluator measured: losses of each round [1e-9], and scores by method and round."""

    losses_e9: tuple[tuple[int, int], ...]  # before, after
    scores: dict[str, tuple[Scores, ...]]

    @property
    def initial_loss_e9(self) -> int:
        return self.losses_e9[0][0]


def look(
    model: Model,
    steps: Sequence[Step],
    data: Data,
    samples: Sequence[int],
    methods: Iterable[str],
) -> View:
    """Measure every round on one data set by every method."""
    losses: list[tuple[int, int]] = []
    scores: dict[str, list[Scores]] = {name: [] for name in methods}
    for step in steps:
        seen = as_round(model, step, data, samples)
        before, after = seen.loss(np.zeros_like(step.base)), seen.loss(step.merged)
        losses.append((to_fixed(before), to_fixed(after)))
        for name, own in scores.items():
            own.append(METHODS[name](seen))
    return View(tuple(losses), {name: tuple(own) for name, own in scores.items()})


def as_round(model: Model, step: Step, data: Data, samples: Sequence[int]) -> Round:
    """Return the round as the owner of the data sees it; losses are evaluated once per step."""

    def gradient(change: Floats) -> Floats:
        found: Floats = model.gradient((step.base + change)[None], data)[0]
        return found

    return Round(
        weights=step.weights,
        updates=list(step.updates),
        loss=_remembered(lambda change: float(model.loss((step.base + change)[None], data)[0])),
        gradient=gradient,
        samples=tuple(samples),
    )


def _remembered(loss: Callable[[Floats], float]) -> Callable[[Floats], float]:
    """Methods share coalitions; each still counts the passes it would have made alone."""
    known: dict[bytes, float] = {}

    def look_up(change: Floats) -> float:
        key = change.tobytes()
        if key not in known:
            known[key] = loss(change)
        return known[key]

    return look_up
