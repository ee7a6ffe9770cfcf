"""A network with one hidden layer in NumPy: small, quick, and the same bytes on every run."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from examples.tables.data import Table

Parameters = dict[str, np.ndarray]
HIDDEN, BATCH, RATE, MOMENTUM, DECAY = 32, 16, 0.02, 0.9, 1e-3


def initial(features: int, classes: int, seed: int) -> Parameters:
    """Weights in the scale of their inputs, float32."""
    generator = np.random.default_rng(seed)
    first = generator.normal(0, features**-0.5, (features, HIDDEN)).astype(np.float32)
    second = generator.normal(0, HIDDEN**-0.5, (HIDDEN, classes)).astype(np.float32)
    zeros = np.zeros(HIDDEN, np.float32), np.zeros(classes, np.float32)
    return {"first": first, "first_bias": zeros[0], "second": second, "second_bias": zeros[1]}


class Trainer:
    """One site's training: its order of rows and its momentum last from round to round."""

    def __init__(self, table: Table, seed: int) -> None:
        self._table = table
        self._generator = np.random.default_rng(seed)
        self._velocity: Parameters = {}
        self._order = np.empty(0, np.int64)

    def train(self, start: Mapping[str, np.ndarray], steps: int) -> Parameters:
        """Return what `steps` batches make of `start`."""
        now = {name: array.copy() for name, array in start.items()}
        for _ in range(steps):
            if len(self._order) == 0:
                self._order = self._generator.permutation(len(self._table.y))
            rows, self._order = self._order[:BATCH], self._order[BATCH:]
            gradient = _gradient(now, self._table.x[rows], self._table.y[rows])
            for name, array in now.items():
                step = gradient[name] + np.float32(DECAY) * array
                velocity = np.float32(MOMENTUM) * self._velocity.get(name, 0) + step
                self._velocity[name] = velocity
                array -= np.float32(RATE) * velocity
        return now


def loss_and_accuracy(parameters: Mapping[str, np.ndarray], table: Table) -> tuple[float, float]:
    """Mean cross entropy, and the share of rows that are classified rightly."""
    _, log_p = _forward(parameters, table.x)
    right = log_p.argmax(1) == table.y
    return -float(log_p[range(len(table.y)), table.y].mean()), float(right.mean())


def _forward(parameters: Mapping[str, np.ndarray], x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    hidden = np.maximum(x @ parameters["first"] + parameters["first_bias"], 0)
    logits = hidden @ parameters["second"] + parameters["second_bias"]
    logits -= logits.max(1, keepdims=True)
    return hidden, logits - np.log(np.exp(logits).sum(1, keepdims=True))


def _gradient(parameters: Mapping[str, np.ndarray], x: np.ndarray, y: np.ndarray) -> Parameters:
    hidden, log_p = _forward(parameters, x)
    error = np.exp(log_p)
    error[range(len(y)), y] -= 1
    error /= np.float32(len(y))
    back = (error @ parameters["second"].T) * (hidden > 0)
    return {
        "first": x.T @ back,
        "first_bias": back.sum(0),
        "second": hidden.T @ error,
        "second_bias": error.sum(0),
    }
