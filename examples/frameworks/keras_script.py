"""Handwritten digits in plain Keras.

DATA_DIR=… python examples/frameworks/keras_script.py     # data: examples/hpe/README.md
"""

import os
from pathlib import Path

import keras
import numpy as np

data_dir, max_epochs = Path(os.environ["DATA_DIR"]), int(os.environ.get("MAX_EPOCHS", "5"))
keras.utils.set_random_seed(0)


def arrays(name: str) -> tuple[np.ndarray, np.ndarray]:
    with np.load(data_dir / f"{name}.npz") as table:
        return table["x"], table["y"]


x, y = arrays("train")
validation = arrays("validation")
layers = [keras.layers.Dense(32, activation="relu"), keras.layers.Dense(10, activation="softmax")]
model = keras.Sequential([keras.Input((64,)), *layers])
model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])

model.fit(x, y, batch_size=32, epochs=max_epochs, verbose=0)

loss, accuracy = model.evaluate(*validation, verbose=0)
print(f"loss {loss:.4f}, accuracy {accuracy:.4f}")
