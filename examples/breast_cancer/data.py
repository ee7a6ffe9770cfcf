"""Cut the Wisconsin breast cancer data set into what three sites, and all of them, would have.

    python -m examples.breast_cancer.data --out DIR --seed 0

writes, as parameter files with the tensors `inputs` (float32, n × 30) and `targets` (float32,
n × 1, 1 = malignant):

    us/ europe/ asia/   train.safetensors, and a copy of the validation set: a site's DATA_DIR
    validation.safetensors   the agreed set that losses are measured on
    test.safetensors         for the final table only
    initial.safetensors      parameters of the model that everyone starts from

The same seed gives the same bytes everywhere: the agreement names the validation set and the
initial parameters by their hashes.
"""

from __future__ import annotations

import argparse
import hashlib
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from sklearn.datasets import load_breast_cancer

from node_agent.parameters.format import Written, write

FEATURES, HIDDEN = 30, 16
BENIGN = 1  # the data set's own label


@dataclass(frozen=True, slots=True)
class Part:
    """How many benign and malignant samples a part of the data gets."""

    name: str
    benign: int
    malignant: int


VALIDATION = Part("validation", 53, 32)  # 15 %
TEST = Part("test", 71, 43)  # 20 %
SITES = (
    Part("us", 180, 20),  # screening: nine in ten are benign
    Part("europe", 45, 45),
    Part("asia", 8, 72),  # a hospital that others refer their cases to
)


def prepare(folder: Path, seed: int) -> dict[str, Written]:
    """Write all files below `folder`; returns root (BLAKE3) and size by path below it."""
    inputs, labels = load_breast_cancer(return_X_y=True)
    rows = _cut(labels, seed)
    center, scale = _statistics(inputs[rows[VALIDATION]])

    def save(path: str, part: Part) -> Written:
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        chosen = rows[part]
        arrays = {
            "inputs": ((inputs[chosen] - center) / scale).astype(np.float32),
            "targets": (labels[chosen] != BENIGN).astype(np.float32)[:, None],
        }
        return write(folder / path, arrays, {"format": "swarm-1", "kind": "data"})

    written = {f"{part.name}.safetensors": part for part in (VALIDATION, TEST)}
    for site in SITES:
        written[f"{site.name}/train.safetensors"] = site
        written[f"{site.name}/validation.safetensors"] = VALIDATION
    result = {path: save(path, part) for path, part in written.items()}
    initial = write(
        folder / "initial.safetensors", _initial(seed), {"format": "swarm-1", "kind": "initial"}
    )
    return result | {"initial.safetensors": initial}


def _cut(labels: np.ndarray, seed: int) -> dict[Part, list[int]]:
    """Deal the rows out; ordered by hashes, which no release of any library ever changes."""
    order = sorted(
        range(len(labels)), key=lambda row: hashlib.sha256(f"{seed}:{row}".encode()).digest()
    )
    benign = iter([row for row in order if labels[row] == BENIGN])
    malignant = iter([row for row in order if labels[row] != BENIGN])
    return {
        part: [next(benign) for _ in range(part.benign)]
        + [next(malignant) for _ in range(part.malignant)]
        for part in (TEST, VALIDATION, *SITES)
    }


def _statistics(inputs: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean and standard deviation of each column, exactly rounded, so the same on every machine.

    They are those of the validation set: sites share it, and nothing else.
    """
    n = len(inputs)
    center = np.array([math.fsum(column) / n for column in inputs.T])
    squares = (inputs - center) ** 2
    return center, np.array([math.sqrt(math.fsum(column) / n) for column in squares.T])


def _initial(seed: int) -> dict[str, np.ndarray]:
    """Parameters of `model.build_model()`, drawn as PyTorch does: uniform in ±1/sqrt(inputs)."""
    random = np.random.RandomState(seed)  # whose numbers are frozen for good (NEP 19)
    tensors = {}
    for name, outputs, inputs in (("0", HIDDEN, FEATURES), ("2", 1, HIDDEN)):
        bound = 1 / math.sqrt(inputs)
        for kind, shape in (("weight", (outputs, inputs)), ("bias", (outputs,))):
            tensors[f"{name}.{kind}"] = random.uniform(-bound, bound, shape).astype(np.float32)
    return tensors


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m examples.breast_cancer.data")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR")
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args(arguments)
    for path, written in sorted(prepare(given.out, given.seed).items()):
        print(f"{written.root.hex()}  {given.out / path}")


if __name__ == "__main__":
    main()
