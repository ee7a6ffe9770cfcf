"""Fraud detection: a logistic regression in Keras, written for HPE Swarm Learning's interface."""

from __future__ import annotations

import os
from pathlib import Path

import keras
from swarmlearning.tf import SwarmCallback

from examples.hpe.data import read

BATCH_SIZE = 32


def build_model() -> keras.Model:
    """12 features in, the probability of fraud out."""
    model = keras.Sequential([keras.Input((12,)), keras.layers.Dense(1, activation="sigmoid")])
    model.compile(keras.optimizers.SGD(0.5), "binary_crossentropy", metrics=["accuracy"])
    return model


def main() -> None:
    data_dir = Path(os.getenv("DATA_DIR", "/platform/data"))
    model_dir = Path(os.getenv("MODEL_DIR", "/platform/model"))
    max_epochs = int(os.getenv("MAX_EPOCHS", "5"))
    min_peers = int(os.getenv("MIN_PEERS", "2"))

    validation = read(data_dir, "validation")
    model = build_model()
    swarm = SwarmCallback(
        syncFrequency=16,
        minPeers=min_peers,
        adsValData=validation,
        adsValBatchSize=128,
        mergeMethod="mean",
        nodeWeightage=1,
        totalEpochs=max_epochs,
    )
    x, y = read(data_dir, "train")
    model.fit(x, y, BATCH_SIZE, max_epochs, verbose=0, callbacks=[swarm])

    loss, accuracy = model.evaluate(*validation, verbose=0)
    print(f"validation loss {loss:.4f}, accuracy {accuracy:.4f}")
    model_dir.mkdir(parents=True, exist_ok=True)
    model.save(model_dir / "fraud.keras")


if __name__ == "__main__":
    main()
