"""What the swarm is compared with: every site alone, and one model on everybody's data.

Same start, same script, same number of batches:

    python -m examples.breast_cancer.baselines --data DIR --batches 192 --model swarm.safetensors
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator, Sequence
from pathlib import Path

import torch
from torch.utils.data import DataLoader, TensorDataset

from examples.breast_cancer.model import Table, accuracy, load_model, read_table
from examples.breast_cancer.train import BATCH_SIZE, LEARNING_RATE, MOMENTUM

SITES = ("us", "europe", "asia")
ROUNDS, SYNC_FREQUENCY = 24, 8


class LocalTraining:
    """The training loop of `train.py`, batch by batch, from the common start."""

    def __init__(self, start: Path, table: Table, seed: int) -> None:
        self.model = load_model(start)
        self._optimizer = torch.optim.SGD(self.model.parameters(), LEARNING_RATE, MOMENTUM)
        self._loss = torch.nn.BCEWithLogitsLoss()
        order = torch.Generator().manual_seed(seed)
        self._loader = DataLoader(TensorDataset(*table), BATCH_SIZE, shuffle=True, generator=order)
        self._batches = self._forever()

    def run(self, batches: int) -> None:
        for _ in range(batches):
            inputs, targets = next(self._batches)
            self._optimizer.zero_grad()
            self._loss(self.model(inputs), targets).backward()
            self._optimizer.step()

    def _forever(self) -> Iterator[list[torch.Tensor]]:
        while True:
            yield from self._loader


def measure(model: torch.nn.Module, table: Table) -> tuple[float, float]:
    """Return the mean loss and the accuracy on a table."""
    inputs, targets = table
    with torch.no_grad():
        outputs = model(inputs)
        return float(torch.nn.BCEWithLogitsLoss()(outputs, targets)), accuracy(outputs, targets)


def site_table(folder: Path, site: str) -> Table:
    return read_table(folder / site / "train.safetensors")


def baseline_accuracies(
    folder: Path, seed: int, batches: int = ROUNDS * SYNC_FREQUENCY
) -> dict[str, float]:
    """Test accuracy of each site alone and of `pooled` training, by name."""
    tables = {site: site_table(folder, site) for site in SITES}
    inputs, targets = zip(*tables.values(), strict=True)
    tables["pooled"] = torch.cat(inputs), torch.cat(targets)
    test = read_table(folder / "test.safetensors")
    result = {}
    for name, table in tables.items():
        training = LocalTraining(folder / "initial.safetensors", table, seed)
        training.run(batches)
        result[name] = measure(training.model, test)[1]
    return result


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m examples.breast_cancer.baselines")
    parser.add_argument("--data", type=Path, required=True, metavar="DIR", help="made by `data`")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--batches", type=int, default=ROUNDS * SYNC_FREQUENCY)
    parser.add_argument("--model", type=Path, help="parameters of the swarm, to be compared")
    given = parser.parse_args(arguments)
    torch.set_num_threads(1)
    result = baseline_accuracies(given.data, given.seed, given.batches)
    if given.model is not None:
        test = read_table(given.data / "test.safetensors")
        result["swarm"] = measure(load_model(given.model), test)[1]
    print(json.dumps({name: round(value, 6) for name, value in result.items()}))


if __name__ == "__main__":
    main()
