"""Handwritten digits with scikit-learn, which tells no gradients: pay is measured by losses alone.

DATA_DIR=… python -m examples.scikit_learn.train       # data: examples/hpe/README.md
"""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
from sklearn.linear_model import SGDClassifier

from examples.hpe.data import read
from node_agent.callbacks.sklearn import SwarmCallback

PIXELS, CLASSES, BATCH_SIZE = 64, 10, 32


def build_model() -> SGDClassifier:
    """A linear model of all classes, all zero: the same at every site."""
    model = SGDClassifier(loss="log_loss", learning_rate="constant", eta0=0.05, random_state=0)
    nothing = np.zeros((CLASSES, PIXELS), np.float32)  # one dtype throughout: partial_fit insists
    model.partial_fit(nothing, np.arange(CLASSES), classes=np.arange(CLASSES))
    model.coef_[...], model.intercept_[...] = 0, 0
    return model


def main() -> None:
    data_dir, max_epochs = Path(os.environ["DATA_DIR"]), int(os.environ.get("MAX_EPOCHS", "5"))
    x, y = read(data_dir, "train")
    validation = read(data_dir, "validation")
    model, order = build_model(), np.random.default_rng(0)
    swarm = SwarmCallback(syncFrequency=16, minPeers=2, model=model, adsValData=validation)
    for _ in swarm.epochs(max_epochs):
        for rows in np.array_split(order.permutation(len(y)), len(y) // BATCH_SIZE):
            if swarm.partial_fit(x[rows], y[rows]):
                break
    print(f"validation accuracy {model.score(*validation):.4f}")


if __name__ == "__main__":
    main()
