"""Three models, evaluated for many parameter vectors at once.

Parameters are flat float64 vectors. `loss` and `gradient` take B of them, shape (B, size), and one
data set, and return the mean cross-entropy of each, shape (B,), and its gradient, shape (B, size).
The products are shaped so that B parameter vectors cost one matrix product with the data.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from scripts.bench_metering.datasets import Data, Floats


class Model(Protocol):
    @property
    def size(self) -> int: ...
    def start(self, seed: int) -> Floats:
        """Return the initial parameters, shape (size,)."""
        ...

    def loss(self, parameters: Floats, data: Data) -> Floats: ...
    def gradient(self, parameters: Floats, data: Data) -> Floats: ...


@dataclass(frozen=True, slots=True)
class Softmax:
    """Softmax regression, from zero."""

    features: int  # with the column of ones
    classes: int

    @property
    def size(self) -> int:
        return self.features * self.classes

    def start(self, seed: int) -> Floats:
        return np.zeros(self.size)

    def loss(self, parameters: Floats, data: Data) -> Floats:
        return _cross_entropy(self._logits(parameters, data), data)

    def gradient(self, parameters: Floats, data: Data) -> Floats:
        delta = _delta(self._logits(parameters, data), data)
        return _outer(data.x, delta).reshape(len(parameters), -1)

    def _logits(self, parameters: Floats, data: Data) -> Floats:
        return _product(data.x, parameters.reshape(len(parameters), self.features, self.classes))


@dataclass(frozen=True, slots=True)
class Mlp:
    """One hidden layer of tanh units, from random weights of variance 1/inputs."""

    features: int
    classes: int
    hidden: int = 16

    @property
    def size(self) -> int:
        return self.features * self.hidden + (self.hidden + 1) * self.classes

    def start(self, seed: int) -> Floats:
        rng = np.random.default_rng([seed, 1])
        first = rng.standard_normal(self.features * self.hidden) / np.sqrt(self.features)
        second = rng.standard_normal((self.hidden + 1) * self.classes) / np.sqrt(self.hidden)
        return np.concatenate([first, second])

    def loss(self, parameters: Floats, data: Data) -> Floats:
        return _cross_entropy(self._forward(parameters, data)[1], data)

    def gradient(self, parameters: Floats, data: Data) -> Floats:
        active, logits, second = self._forward(parameters, data)
        delta = _delta(logits, data)
        back = (delta @ second[:, :-1].transpose(0, 2, 1)) * (1 - active[:, :, :-1] ** 2)
        first_part = _outer(data.x, back).reshape(len(parameters), -1)
        second_part = (active.transpose(0, 2, 1) @ delta).reshape(len(parameters), -1)
        return np.concatenate([first_part, second_part], axis=1)

    def _forward(self, parameters: Floats, data: Data) -> tuple[Floats, Floats, Floats]:
        cut, batch = self.features * self.hidden, len(parameters)
        first = parameters[:, :cut].reshape(batch, self.features, self.hidden)
        second = parameters[:, cut:].reshape(batch, self.hidden + 1, self.classes)
        active = np.ones((batch, len(data), self.hidden + 1))
        np.tanh(_product(data.x, first), out=active[:, :, :-1])
        return active, active @ second, second


@dataclass(frozen=True, slots=True)
class Cnn:
    """For 8 × 8 pictures: 3 × 3 filters at every second pixel, ReLU, one dense layer."""

    features: int
    classes: int
    filters: int = 8
    side = 8
    window = 3
    stride = 2
    places = 9  # of a filter in a picture: 3 × 3

    @property
    def size(self) -> int:
        dense = (self.places * self.filters + 1) * self.classes
        return (self.window**2 + 1) * self.filters + dense

    def start(self, seed: int) -> Floats:
        rng = np.random.default_rng([seed, 2])
        inputs, dense = self.window**2 + 1, self.places * self.filters + 1
        first = rng.standard_normal(inputs * self.filters) * np.sqrt(2 / inputs)
        return np.concatenate([first, rng.standard_normal(dense * self.classes) / np.sqrt(dense)])

    def loss(self, parameters: Floats, data: Data) -> Floats:
        return _cross_entropy(self._forward(parameters, data)[1], data)

    def gradient(self, parameters: Floats, data: Data) -> Floats:
        batch = len(parameters)
        active, logits, second = self._forward(parameters, data)
        delta = _delta(logits, data)
        back = (delta @ second[:, :-1].transpose(0, 2, 1)) * (active[:, :, :-1] > 0)
        first_part = _outer(self._patches(data), back.reshape(batch, -1, self.filters))
        second_part = active.transpose(0, 2, 1) @ delta
        return np.concatenate(
            [first_part.reshape(batch, -1), second_part.reshape(batch, -1)], axis=1
        )

    def _forward(self, parameters: Floats, data: Data) -> tuple[Floats, Floats, Floats]:
        batch, rows, units = len(parameters), len(data), self.places * self.filters
        cut = (self.window**2 + 1) * self.filters
        first = parameters[:, :cut].reshape(batch, self.window**2 + 1, self.filters)
        second = parameters[:, cut:].reshape(batch, units + 1, self.classes)
        maps = _product(self._patches(data), first).reshape(batch, rows, units)
        active = np.ones((batch, rows, units + 1))
        np.maximum(maps, 0, out=active[:, :, :-1])
        return active, active @ second, second

    def _patches(self, data: Data) -> Floats:
        pictures = data.x[:, :-1].reshape(-1, self.side, self.side)
        windows = np.lib.stride_tricks.sliding_window_view(
            pictures, (self.window, self.window), axis=(1, 2)
        )[:, :: self.stride, :: self.stride].reshape(-1, self.window**2)
        return np.column_stack([windows, np.ones(len(windows))])


MODELS = {"softmax": Softmax, "mlp": Mlp, "cnn": Cnn}


def _product(x: Floats, weights: Floats) -> Floats:
    """Return x @ weights[b] for every b as one product: (rows, f), (B, f, c) -> (B, rows, c)."""
    batch, features, columns = weights.shape
    wide = weights.transpose(1, 0, 2).reshape(features, batch * columns)
    product: Floats = (x @ wide).reshape(len(x), batch, columns).transpose(1, 0, 2)
    return np.ascontiguousarray(product)


def _outer(x: Floats, delta: Floats) -> Floats:
    """Return x.T @ delta[b] for every b: (rows, f), (B, rows, c) -> (B, f, c)."""
    batch, rows, columns = delta.shape
    wide = delta.transpose(1, 0, 2).reshape(rows, batch * columns)
    product: Floats = (x.T @ wide).reshape(x.shape[1], batch, columns).transpose(1, 0, 2)
    return np.ascontiguousarray(product)


def _cross_entropy(logits: Floats, data: Data) -> Floats:
    high = logits.max(axis=2)
    sums = np.log(np.exp(logits - high[:, :, None]).sum(axis=2)) + high
    losses: Floats = (sums - logits[:, np.arange(len(data)), data.y]).mean(axis=1)
    return losses


def _delta(logits: Floats, data: Data) -> Floats:
    """Return the gradient of the mean cross-entropy with respect to the logits."""
    delta: Floats = np.exp(logits - logits.max(axis=2, keepdims=True))
    delta /= delta.sum(axis=2, keepdims=True)
    delta[:, np.arange(len(data)), data.y] -= 1
    delta /= len(data)
    return delta
