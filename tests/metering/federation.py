"""A small federation in NumPy: logistic regression at several sites, scored for one round."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from metering.contribution import GAUSS_LEGENDRE, block_dot, scores

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


def aumann_shapley(
    w: np.ndarray,
    updates: list[np.ndarray],
    weights: list[float],
    validation: Data,
    points: int = 3,
) -> tuple[float, ...]:
    merged = sum(
        weight / sum(weights) * update for weight, update in zip(weights, updates, strict=True)
    )
    averaged = sum(q * gradient(w + s * merged, validation) for s, q in GAUSS_LEGENDRE[points])
    return scores(weights, [block_dot(averaged, update) for update in updates])
