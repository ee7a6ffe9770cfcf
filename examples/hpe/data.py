"""Data for the programs in this folder, made on the spot from a seed.

    python -m examples.hpe.data fraud --out DIR --seed 0

writes train.npz and validation.npz; `transfer` also trunk.npz, the first layer of a network that
was trained on the digits 0 to 4 only.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from sklearn.datasets import load_digits
from sklearn.neural_network import MLPClassifier

Table = tuple[np.ndarray, np.ndarray]
VALIDATION = 400  # samples; the rest is for training

WORDS, SENTENCE = 40, 12
SPORTS, POLITICS = range(4, 16), range(16, 28)  # word numbers; the others say nothing


def fraud(seed: int) -> Table:
    """Return 2,000 payments (12 features, float32), of which one in ten is fraudulent."""
    generator = np.random.default_rng(seed)
    x = generator.normal(size=(2000, 12)).astype(np.float32)
    suspicion = 1.5 * x[:, 0] - x[:, 3] + 0.8 * x[:, 7] + generator.normal(0, 0.5, len(x))
    return x, (suspicion > np.quantile(suspicion, 0.9)).astype(np.float32)[:, None]


def digits(seed: int) -> Table:
    """Return scikit-learn's 1,797 digits of 8 × 8 pixels (float32, 0 to 1) and their labels."""
    x, y = load_digits(return_X_y=True)
    order = np.random.default_rng(seed).permutation(len(y))
    return (x[order] / 16).astype(np.float32), y[order].astype(np.int64)


def text(seed: int) -> Table:
    """Return 1,200 sentences as word numbers (int64, n × 12); 1 when they are about politics."""
    generator = np.random.default_rng(seed)
    y = generator.integers(0, 2, 1200)
    x = generator.integers(28, WORDS, size=(len(y), SENTENCE))
    for topic, words in enumerate((SPORTS, POLITICS)):
        said = generator.integers(words.start, words.stop, size=x.shape)
        telling = (generator.random(x.shape) < 0.3) & (y == topic)[:, None]
        x = np.where(telling, said, x)
    return x, y


def trunk(seed: int) -> dict[str, np.ndarray]:
    """Train a network on the digits 0 to 4 and return its first layer: 64 pixels, 32 features."""
    x, y = digits(seed)
    network = MLPClassifier((32,), max_iter=500, random_state=seed).fit(x[y < 5], y[y < 5])
    return {
        "kernel": network.coefs_[0].astype(np.float32),
        "bias": network.intercepts_[0].astype(np.float32),
    }


KINDS: dict[str, Callable[[int], Table]] = {
    "fraud": fraud,
    "digits": digits,
    "text": text,
    "transfer": digits,
}


def prepare(kind: str, folder: Path, seed: int) -> None:
    """Write the files of one program."""
    folder.mkdir(parents=True, exist_ok=True)
    x, y = KINDS[kind](seed)
    np.savez(folder / "validation.npz", x=x[:VALIDATION], y=y[:VALIDATION])
    np.savez(folder / "train.npz", x=x[VALIDATION:], y=y[VALIDATION:])
    if kind == "transfer":
        np.savez(folder / "trunk.npz", **trunk(seed))


def read(folder: Path, name: str) -> Table:
    """Read x and y of train or validation."""
    with np.load(folder / f"{name}.npz", allow_pickle=False) as table:
        return table["x"], table["y"]


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m examples.hpe.data")
    parser.add_argument("kind", choices=KINDS)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args(arguments)
    prepare(given.kind, given.out, given.seed)


if __name__ == "__main__":
    main()
