"""What the swarm is compared with, measured on the test set: each site alone, and pooled training.

    python -m scripts.demo.compare --data DIR --seed 0 --rounds 24 --batches 8

trains them at once, taking note after each round's worth of batches, and then waits for one line
on stdin, `{"rounds": 23, "model": "/path"}`: how long the swarm has trained, and its final model.
It answers with one line on stdout, so hardly any of this is left to do after the run.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

import torch

from examples.breast_cancer.baselines import SITES, LocalTraining, site_table
from examples.breast_cancer.model import Table, accuracy, load_model, read_table

POOLED = "pooled"


def scores(model: torch.nn.Module, table: Table) -> dict[str, float]:
    """Accuracy, and the area under the ROC curve: how often a malignant ranks above a benign."""
    inputs, targets = table
    with torch.no_grad():
        outputs = model(inputs)
    malignant, benign = outputs[targets > 0.5], outputs[targets <= 0.5]
    pairs = malignant[:, None] - benign[None, :]
    auc = ((pairs > 0).double() + (pairs == 0).double() / 2).mean()
    return {"accuracy": accuracy(outputs, targets), "auc": float(auc)}


def trajectories(data: Path, seed: int, rounds: int, batches: int) -> dict[str, list[Any]]:
    """Scores by name of the training and number of rounds, from the common start on."""
    tables = {site: site_table(data, site) for site in SITES}
    inputs, targets = zip(*tables.values(), strict=True)
    tables[POOLED] = torch.cat(inputs), torch.cat(targets)
    test = read_table(data / "test.safetensors")
    found: dict[str, list[Any]] = {}
    for name, table in tables.items():
        training = LocalTraining(data / "initial.safetensors", table, seed)
        found[name] = [scores(training.model, test)]
        for _ in range(rounds):
            training.run(batches)
            found[name].append(scores(training.model, test))
    return found


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m scripts.demo.compare")
    parser.add_argument("--data", type=Path, required=True)
    for name in ("seed", "rounds", "batches"):
        parser.add_argument(f"--{name}", type=int, required=True)
    given = parser.parse_args()
    torch.set_num_threads(1)
    found = trajectories(given.data, given.seed, given.rounds, given.batches)
    question = json.loads(sys.stdin.readline())
    answer = {name: by_round[question["rounds"]] for name, by_round in found.items()}
    test = read_table(given.data / "test.safetensors")
    answer["swarm"] = scores(load_model(Path(question["model"])), test)
    print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
