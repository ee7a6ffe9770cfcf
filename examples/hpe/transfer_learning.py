"""Transfer learning in Keras: a frozen trunk that knows five digits, a head that learns all ten.

What is frozen does not travel: every site has the trunk already.
"""

from __future__ import annotations

import os
from pathlib import Path

import keras
import numpy as np
from swarmlearning.tf import SwarmCallback

from examples.hpe.data import read

BATCH_SIZE = 32


def build_model(trunk_file: Path) -> keras.Model:
    """64 pixels in, probabilities of ten digits out."""
    trunk = keras.layers.Dense(32, activation="relu", trainable=False, name="trunk")
    head = [
        keras.layers.BatchNormalization(name="norm"),
        keras.layers.Dense(10, activation="softmax", name="head"),
    ]
    model = keras.Sequential([keras.Input((64,)), trunk, *head])
    with np.load(trunk_file, allow_pickle=False) as trained:
        trunk.set_weights([trained["kernel"], trained["bias"]])
    optimizer = keras.optimizers.Adam(0.01)
    model.compile(optimizer, "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


def main() -> None:
    data_dir = Path(os.getenv("DATA_DIR", "/platform/data"))
    model_dir = Path(os.getenv("MODEL_DIR", "/platform/model"))
    max_epochs = int(os.getenv("MAX_EPOCHS", "5"))

    validation = read(data_dir, "validation")
    model = build_model(data_dir / "trunk.npz")
    swarm = SwarmCallback(
        syncFrequency=16,
        minPeers=int(os.getenv("MIN_PEERS", "2")),
        adsValData=validation,
        adsValBatchSize=128,
        checkinModelOnTrainEnd="active",
        totalEpochs=max_epochs,
    )
    x, y = read(data_dir, "train")
    model.fit(x, y, BATCH_SIZE, max_epochs, verbose=0, callbacks=[swarm])

    loss, accuracy = model.evaluate(*validation, verbose=0)
    print(f"validation loss {loss:.4f}, accuracy {accuracy:.4f}")
    model_dir.mkdir(parents=True, exist_ok=True)
    model.save(model_dir / "digits.keras")


if __name__ == "__main__":
    main()
