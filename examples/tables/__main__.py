"""Test accuracy of each site alone, of the swarm by every merge rule, and of pooled data.

    make examples                      or    python -m examples.tables [--seeds 5] [--sets digits]

A simulation in one process: sites train one after the other, but files, checks of weights, and
merges are the product's own (`node_agent.merge.registry`). Rewrites the tables in docs/examples.md
when asked for all sets.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import fmean, stdev

import numpy as np

from examples.tables.data import SPLITS, TABLES, Federation, Table, federation
from examples.tables.model import Parameters, Trainer, initial, loss_and_accuracy
from node_agent.merge.registry import merge
from node_agent.merge.rules import BUILT_IN, Rule
from node_agent.parameters.format import ParameterFile, write

ROUNDS, STEPS = 20, 16
DOCUMENT = Path("docs/examples.md")
BEGIN, END = "<!-- tables: written by make examples -->", "<!-- end of tables -->"
RUN = "0x" + "00" * 32


def alone(data: Federation, start: Parameters, seed: int) -> float:
    """Mean test accuracy of sites that train by themselves, as many steps as in the swarm."""
    return fmean(_by_itself(Trainer(table, seed), start, STEPS, data) for table in data.sites)


def pooled(data: Federation, start: Parameters, seed: int) -> float:
    """Test accuracy of one model on everybody's rows, with as many steps as all sites together."""
    x, y, site = (
        np.concatenate([getattr(table, part) for table in data.sites])
        for part in ("x", "y", "site")
    )
    trainer = Trainer(Table(x, y, site), seed)
    return _by_itself(trainer, start, STEPS * len(data.sites), data)


def _by_itself(trainer: Trainer, start: Parameters, steps: int, data: Federation) -> float:
    """Test accuracy of the model with the lowest validation loss, looked at as in the swarm."""
    best, accuracy, now = float("inf"), 0.0, start
    for _ in range(ROUNDS):
        now = trainer.train(now, steps)
        loss, _ = loss_and_accuracy(now, data.validation)
        if loss < best:
            best, accuracy = loss, loss_and_accuracy(now, data.test)[1]
    return accuracy


def swarm(data: Federation, start: Parameters, rule: Rule, seed: int, folder: Path) -> float:
    """Test accuracy of the merged model with the lowest validation loss; equal weights."""
    sites = [Trainer(table, seed) for table in data.sites]
    base = folder / "start"
    write(base, start, {"run": RUN})
    best, accuracy = float("inf"), 0.0
    state: Path | None = None
    for number in range(ROUNDS):
        common = {k: np.array(v) for k, v in ParameterFile.open(base).tensors().items()}
        updates = []
        for place, site in enumerate(sites):
            updates.append(folder / f"{number}-{place}")
            write(updates[-1], site.train(common, STEPS), {"node": f"{place:03d}"})
        merged, next_state = folder / f"{number}", folder / f"{number}-state"
        merge(
            rule.number,
            [ParameterFile.open(path) for path in updates],
            [1] * len(updates),
            merged,
            {"run": RUN},
            base=ParameterFile.open(base),
            state=ParameterFile.open(state) if state else None,
            state_path=next_state,
        )
        base, state = merged, next_state if rule.state_schema else None
        tensors = ParameterFile.open(merged).tensors()
        loss, _ = loss_and_accuracy(tensors, data.validation)
        if loss < best:
            best, accuracy = loss, loss_and_accuracy(tensors, data.test)[1]
        for path in updates:
            path.unlink()
    return accuracy


class Progress:
    """Says on stderr what is done, and when all of it will be."""

    def __init__(self, total: int) -> None:
        self._done, self._total, self._began_s = 0, total, time.monotonic()

    def step(self, what: str) -> None:
        self._done += 1
        took_s = time.monotonic() - self._began_s
        left_s = took_s / self._done * (self._total - self._done)
        print(
            f"[{self._done}/{self._total}] {what}: {took_s / 60:.1f} min so far, "
            f"about {left_s / 60:.1f} min left",
            file=sys.stderr,
            flush=True,
        )


def measured(name: str, split: str, seeds: int, progress: Progress) -> dict[str, list[float]]:
    """Accuracies by who trained, one a seed."""
    table = TABLES[name]()
    found: dict[str, list[float]] = {}
    for seed in range(seeds):
        data = federation(table, split, seed)
        start = initial(table.x.shape[1], int(table.y.max()) + 1, seed)
        found.setdefault("each site alone", []).append(alone(data, start, seed))
        found.setdefault("pooled", []).append(pooled(data, start, seed))
        for rule in BUILT_IN:
            with tempfile.TemporaryDirectory() as folder:
                accuracy = swarm(data, start, rule, seed, Path(folder))
            found.setdefault(rule.name, []).append(accuracy)
        progress.step(f"{name}, {split}, seed {seed}")
    return found


def table_of(columns: Mapping[tuple[str, str], Mapping[str, Sequence[float]]]) -> str:
    """The Markdown table: mean ± standard deviation in percent."""
    heads = [f"{name}, {split}" for name, split in columns]
    lines = ["| test accuracy, % | " + " | ".join(heads) + " |", "|---" * (len(heads) + 1) + "|"]
    rows = ["each site alone", *(rule.name for rule in BUILT_IN), "pooled"]
    for row in rows:
        cells = [
            f"{100 * fmean(found[row]):.1f} ± {100 * stdev(found[row]):.1f}"
            if len(found[row]) > 1
            else f"{100 * found[row][0]:.1f}"
            for found in columns.values()
        ]
        lines.append(f"| {row} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m examples.tables")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--sets", nargs="+", choices=TABLES, default=list(TABLES))
    given = parser.parse_args()
    progress = Progress(given.seeds * sum(len(SPLITS[name]) for name in given.sets))
    columns = {
        (name, split): measured(name, split, given.seeds, progress)
        for name in given.sets
        for split in SPLITS[name]
    }
    text = table_of(columns)
    print(text)
    if given.sets == list(TABLES):
        before, _, rest = DOCUMENT.read_text().partition(BEGIN)
        DOCUMENT.write_text(f"{before}{BEGIN}\n\n{text}\n\n{END}{rest.partition(END)[2]}")


if __name__ == "__main__":
    main()
