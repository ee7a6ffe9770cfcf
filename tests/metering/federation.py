"""A small federation in NumPy: logistic regression at several sites, scored for one round."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from metering.contribution import Round

FEATURES = 12


@dataclass(frozen=True)
class Data:
    x: np.ndarray  # (samples, FEATURES + 1), the last column is 1
    y: np.ndarray  # (samples,), 0 or 1


def draw(rng: np.random.Generator, samples: int, flipped: float = 0.0) -> Data:
    """Samples of one fixed problem; a part of the labels may be wrong."""
    truth = np.random.default_rng(7).standard_normal(FEATURES + 1)
    x = np.column_stack([rng.standard_normal((samples, FEATURES)), np.ones(samples)])
    y = rng.random(samples) < 1 / (1 + np.exp(-x @ truth))
    return Data(x, np.where(rng.random(samples) < flipped, ~y, y).astype(float))


def loss(w: np.ndarray, data: Data) -> float:
    logits = data.x @ w
    return float(np.mean(np.logaddexp(0, logits) - data.y * logits))


def gradient(w: np.ndarray, data: Data) -> np.ndarray:
    return data.x.T @ (1 / (1 + np.exp(-data.x @ w)) - data.y) / len(data.y)


def train(w: np.ndarray, data: Data, steps: int, rate: float = 0.5) -> np.ndarray:
    """Gradient descent; returns the update, the difference from `w`."""
    trained = w.copy()
    for _ in range(steps):
        trained -= rate * gradient(trained, data)
    return trained - w


def round_of(
    base: np.ndarray,
    updates: Sequence[np.ndarray],
    validation: Data,
    weights: Sequence[float] | None = None,
    samples: Sequence[int] | None = None,
) -> Round:
    """A merged round at `base`, judged on `validation`; equal weights unless given."""
    given = [1.0] * len(updates) if weights is None else weights
    return Round(
        weights=tuple(weight / math.fsum(given) for weight in given),
        updates=updates,
        loss=lambda step: loss(base + step, validation),
        gradient=lambda step: gradient(base + step, validation),
        samples=tuple(samples or [100] * len(updates)),
    )
