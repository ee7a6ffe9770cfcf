"""`make seeds`: over several seeds, the swarm against pooled training and the sites alone.

Each seed cuts the data anew, and is a demo of its own: chain, marketplace, three agents. With
`--simulate` the same training and merging happens in one process, without all that, in seconds.
Writes build/bench/seeds.json.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from statistics import fmean
from typing import Any

from rich.console import Console
from rich.table import Table

OUT = Path("build/bench/seeds.json")
_DEMO_TIMEOUT_S = 300
_SITES = ("us", "europe", "asia")


def demo(seed: int, rounds: int) -> dict[str, Any]:
    """Play a demo; returns the accuracies on the test set: `alone`, `swarm`, `pooled`."""
    folder = Path("build/seeds")
    command = [sys.executable, "-m", "scripts.demo", "--folder", str(folder)]
    numbers = ["--seed", str(seed), "--rounds", str(rounds)]
    done = subprocess.run(
        [*command, *numbers], capture_output=True, text=True, timeout=_DEMO_TIMEOUT_S, check=False
    )
    if done.returncode:
        sys.exit(f"the demo with seed {seed} failed\n{done.stdout}{done.stderr}")
    accuracy: dict[str, Any] = json.loads(folder.with_suffix(".json").read_text())["accuracy"]
    return accuracy


def simulation(seed: int, rounds: int) -> dict[str, Any]:
    """The same in this process, without chain and network."""
    import torch

    from examples.breast_cancer.baselines import SYNC_FREQUENCY, baseline_accuracies
    from examples.breast_cancer.data import prepare
    from examples.breast_cancer.simulate import swarm

    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        prepare(folder, seed)
        found = baseline_accuracies(folder, seed, rounds * SYNC_FREQUENCY)
        alone = [found[site] for site in _SITES]
        together = swarm(folder, seed, rounds).accuracy
    return {"alone": alone, "swarm": together, "pooled": found["pooled"]}


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m scripts.seeds", description=__doc__)
    parser.add_argument("--seeds", type=int, default=5, help="how many, from 0")
    parser.add_argument("--rounds", type=int, default=24)
    parser.add_argument("--simulate", action="store_true", help="no chain, no network")
    given = parser.parse_args(arguments)
    play = simulation if given.simulate else demo
    console = Console(width=None if sys.stdout.isatty() else 110)
    rows: list[dict[str, Any]] = []
    for seed in range(given.seeds):
        rows.append({"seed": seed, **play(seed, given.rounds)})
        print(f"seed {seed}: {rows[-1]}", file=sys.stderr)
    console.print(_table(rows))
    summary = _summary(rows)
    console.print(
        f"on average the swarm is {summary['swarm_less_pooled']:+.2%} from pooled training and "
        f"{summary['swarm_less_alone']:+.2%} from the sites alone",
        soft_wrap=True,
    )
    OUT.parent.mkdir(parents=True, exist_ok=True)
    OUT.write_text(json.dumps({"simulated": given.simulate, "seeds": rows, **summary}, indent=2))
    print(f"figures: {OUT}", file=sys.stderr)


def _summary(rows: Sequence[dict[str, Any]]) -> dict[str, float]:
    alone = fmean(fmean(row["alone"]) for row in rows)
    swarm, pooled = (fmean(row[name] for row in rows) for name in ("swarm", "pooled"))
    return {
        "alone": alone,
        "swarm": swarm,
        "pooled": pooled,
        "swarm_less_pooled": swarm - pooled,
        "swarm_less_alone": swarm - alone,
    }


def _table(rows: Sequence[dict[str, Any]]) -> Table:
    table = Table(title="accuracy on the test set", title_justify="left")
    table.add_column("seed")
    for title in (*(f"{site} alone" for site in _SITES), "mean alone", "swarm", "pooled"):
        table.add_column(title, justify="right")
    for row in rows:
        table.add_row(str(row["seed"]), *map(_percent, _columns(row)))
    table.add_section()
    means = (fmean(column) for column in zip(*map(_columns, rows), strict=True))
    table.add_row("mean", *map(_percent, means), style="bold")
    return table


def _columns(row: dict[str, Any]) -> list[float]:
    return [*row["alone"], fmean(row["alone"]), row["swarm"], row["pooled"]]


def _percent(value: float) -> str:
    return f"{value:.1%}"


if __name__ == "__main__":
    main()
