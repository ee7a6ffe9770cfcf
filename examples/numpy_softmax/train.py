"""A new framework in under 80 lines: softmax regression in plain NumPy joins the swarm.

    DATA_DIR=… python -m examples.numpy_softmax.train       # data: examples/hpe/README.md

`SoftmaxTrainee` is all that the swarm needs to know of it.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from examples.hpe.data import Table, read
from node_agent.callbacks.arrays import ArrayTrainee, swarm_callback

PIXELS, CLASSES, BATCH_SIZE, LEARNING_RATE = 64, 10, 32, 0.1


class Softmax:
    """A linear classifier; `weight` is 64 × 10, `bias` 10, float32."""

    def __init__(self) -> None:
        self.weight = np.zeros((PIXELS, CLASSES), np.float32)
        self.bias = np.zeros(CLASSES, np.float32)

    def loss_and_gradient(
        self, x: np.ndarray, y: np.ndarray
    ) -> tuple[float, dict[str, np.ndarray]]:
        """Mean cross entropy and its gradient by weight and bias."""
        logits = x @ self.weight + self.bias
        logits -= logits.max(1, keepdims=True)
        log_p = logits - np.log(np.exp(logits).sum(1, keepdims=True))
        error = (np.exp(log_p) - np.eye(CLASSES, dtype=np.float32)[y]) / len(y)
        return -float(log_p[range(len(y)), y].mean()), {"weight": x.T @ error, "bias": error.sum(0)}


class SoftmaxTrainee(ArrayTrainee):
    """The model as the swarm sees it: named arrays, a loss, and a gradient."""

    framework = "numpy"

    def __init__(self, model: Softmax, validation: Table) -> None:
        self.model, self.validation = model, validation

    def tensors(self) -> Mapping[str, np.ndarray]:
        return {"weight": self.model.weight, "bias": self.model.bias}

    def assign(self, tensors: Mapping[str, np.ndarray]) -> None:
        for name, array in tensors.items():
            getattr(self.model, name)[...] = array

    def measure(self, *, with_metric: bool) -> tuple[float, float]:
        x, y = self.validation
        right = (x @ self.model.weight + self.model.bias).argmax(1) == y
        return self.model.loss_and_gradient(x, y)[0], float(right.mean())

    def gradient(self) -> Mapping[str, np.ndarray]:
        return self.model.loss_and_gradient(*self.validation)[1]


def main() -> None:
    data_dir, max_epochs = Path(os.environ["DATA_DIR"]), int(os.environ.get("MAX_EPOCHS", "5"))
    x, y = read(data_dir, "train")
    model, order = Softmax(), np.random.default_rng(0)
    trainee = SoftmaxTrainee(model, read(data_dir, "validation"))
    swarm = swarm_callback(trainee, syncFrequency=16, minPeers=2)
    for _ in swarm.epochs(max_epochs):
        for rows in np.array_split(order.permutation(len(y)), len(y) // BATCH_SIZE):
            for name, gradient in model.loss_and_gradient(x[rows], y[rows])[1].items():
                getattr(model, name)[...] -= LEARNING_RATE * gradient
            swarm.on_batch_end(logs={"size": len(rows)})
    print(f"validation accuracy {trainee.measure(with_metric=True)[1]:.4f}")


if __name__ == "__main__":
    main()
