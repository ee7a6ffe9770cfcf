"""The swarm in one process, without chain or network: what to expect of a run, over several seeds.

    python -m examples.breast_cancer.simulate --seeds 5

Batches, merges and losses are those of a real run in which every site is in every round.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean

import torch

from examples.breast_cancer.baselines import (
    ROUNDS,
    SITES,
    SYNC_FREQUENCY,
    LocalTraining,
    baseline_accuracies,
    measure,
    site_table,
)
from examples.breast_cancer.data import prepare
from examples.breast_cancer.model import load_model, read_table
from node_agent.callbacks.pytorch_model import TorchModel
from node_agent.merge.mean import merge
from node_agent.parameters.format import ParameterFile


@dataclass(frozen=True, slots=True)
class Swarm:
    """Validation loss at the start and after each round, and the final accuracy on the test set."""

    losses: tuple[float, ...]
    accuracy: float


def swarm(folder: Path, seed: int, rounds: int = ROUNDS) -> Swarm:
    """Train the sites in `folder` together; leaves the final model as `merged.safetensors`."""
    merged = folder / "initial.safetensors"
    sites = [LocalTraining(merged, site_table(folder, site), seed) for site in SITES]
    validation = read_table(folder / "validation.safetensors")
    losses = [measure(sites[0].model, validation)[0]]
    for _ in range(rounds):
        updates = []
        for name, site in zip(SITES, sites, strict=True):
            site.run(SYNC_FREQUENCY)
            updates.append(folder / f"update-{name}.safetensors")
            TorchModel(site.model).write(updates[-1], {})
        merged = folder / "merged.safetensors"
        merge([ParameterFile.open(path) for path in updates], [1] * len(updates), merged, {})
        for site in sites:
            TorchModel(site.model).load(ParameterFile.open(merged))
        losses.append(measure(sites[0].model, validation)[0])
    test = read_table(folder / "test.safetensors")
    return Swarm(tuple(losses), measure(load_model(merged), test)[1])


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m examples.breast_cancer.simulate")
    parser.add_argument("--seeds", type=int, default=5, help="how many, from 0")
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    given = parser.parse_args(arguments)
    torch.set_num_threads(1)
    shown = [each for each in (0, 1, 2, 4, 8, 12, 16, 20, 24) if each <= given.rounds]
    print(
        "seed   "
        + "".join(f"{name:>8}" for name in (*SITES, "pooled", "swarm"))
        + "   loss after"
        + "".join(f"{each:>7}" for each in shown)
    )
    rows = []
    for seed in range(given.seeds):
        with tempfile.TemporaryDirectory() as temporary:
            folder = Path(temporary)
            prepare(folder, seed)
            accuracies = baseline_accuracies(folder, seed, given.rounds * SYNC_FREQUENCY)
            together = swarm(folder, seed, given.rounds)
        rows.append([*accuracies.values(), together.accuracy])
        print(
            f"{seed:<7}"
            + "".join(f"{value:8.1%}" for value in rows[-1])
            + " " * 13
            + "".join(f"{together.losses[each]:7.3f}" for each in shown),
            flush=True,
        )
    print("mean   " + "".join(f"{fmean(column):8.1%}" for column in zip(*rows, strict=True)))


if __name__ == "__main__":
    main()
