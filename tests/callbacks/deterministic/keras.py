"""Keras: dropout, noise, BatchNorm, Adam with a rate from NumPy's generator, a shuffled Dataset."""

from __future__ import annotations

import os
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from node_agent.callbacks.keras import SwarmCallback
from tests.callbacks.deterministic.killed import (
    BATCH_SIZE,
    DETERMINISTIC,
    FEATURES,
    ROWS,
    SEED,
    WINDOW,
    in_a_batch,
)


class Rows(keras.utils.PyDataset):  # type: ignore[misc]  # Keras has no types
    """Shuffles after every epoch, with a generator of its own."""

    def __init__(self, x: np.ndarray, y: np.ndarray) -> None:
        super().__init__()
        self._x, self._y = x, y
        self._order, self._generator = np.arange(ROWS), np.random.default_rng(SEED)

    def __len__(self) -> int:
        return -(-ROWS // BATCH_SIZE)

    def __getitem__(self, index: int) -> tuple[np.ndarray, np.ndarray]:
        rows = self._order[index * BATCH_SIZE : (index + 1) * BATCH_SIZE]
        return self._x[rows], self._y[rows]

    def on_epoch_end(self) -> None:
        self._generator.shuffle(self._order)


class Killed(keras.callbacks.Callback):  # type: ignore[misc]  # Keras has no types
    def on_train_batch_begin(self, batch: int, logs: Any = None) -> None:
        in_a_batch()
        self.model.optimizer.learning_rate.assign(0.01 + 0.01 * np.random.rand())


def main() -> None:
    keras.utils.set_random_seed(SEED)
    x = np.random.normal(size=(ROWS, FEATURES)).astype(np.float32)
    y = (x.sum(1, keepdims=True) > 0).astype(np.float32)
    hidden = [
        keras.layers.Dense(8),
        keras.layers.BatchNormalization(),
        keras.layers.GaussianNoise(0.1),
        keras.layers.Dropout(0.3),
    ]
    model = keras.Sequential(
        [keras.Input((FEATURES,)), *hidden, keras.layers.Dense(1, activation="sigmoid")]
    )
    model.compile("adam", "binary_crossentropy", metrics=["accuracy"])
    swarm = SwarmCallback(WINDOW, 2, adsValData=(x, y), deterministic=DETERMINISTIC)
    data: dict[str, Any] = {
        "dataset": lambda: (
            tf.data.Dataset.from_tensor_slices((x, y)).shuffle(ROWS, seed=SEED).batch(BATCH_SIZE)
        ),
        "rows": lambda: Rows(x, y),
        "function": lambda: (
            lambda epoch: (
                tf.data.Dataset.from_tensor_slices((x, y))
                .shuffle(ROWS, seed=epoch, reshuffle_each_iteration=False)
                .batch(BATCH_SIZE)
            )
        ),
    }
    chosen = data[os.environ.get("DATA", "dataset")]()
    model.fit(swarm.batches(chosen), epochs=100, verbose=0, callbacks=[Killed(), swarm])


if __name__ == "__main__":
    main()
