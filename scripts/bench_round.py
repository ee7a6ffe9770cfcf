"""`make bench-round`: what a round costs beside training, for a tiny and for a 100 MB model.

Three nodes on this machine, real chain, mutual TLS, no training: each sends back what it loaded.
The baseline is the least that the exchange of a round can take here: every byte that has to move
between two nodes, copied through a loopback TLS connection by two processes of this machine at
the speed measured in this very run. Writes build/bench/round.json.
"""

from __future__ import annotations

import asyncio
import json
import statistics
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

from node_agent.parameters.format import write
from scripts.local_swarm import LocalSwarm
from scripts.tls_baseline import tls_bytes_per_s

OUT = Path("build/bench/round.json")
MODELS = {"1 kB": (250, 20), "100 MB": (25_000_000, 6)}  # float32 numbers, rounds
_STEPS = ("commit_s", "exchange_s", "merge_s", "evaluate_s", "overhead_s")


async def measure(elements: int, rounds: int) -> dict[str, Any]:
    """Run a swarm of three and return medians over rounds of the slowest node's figures."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        initial = folder / "initial.safetensors"
        size = write(
            initial,
            {"w": np.zeros(elements, np.float32)},
            {"format": "swarm-1", "kind": "initial"},
        ).size
        async with LocalSwarm(
            folder,
            initial,
            max_rounds=rounds,
            leader_timeout=60_000,
            quorum_grace=20_000,
            stall_time=600,
        ) as swarm:
            await run(swarm, ["--idle"])
            reports = [swarm.reports(site) for site in swarm.sites]
    slowest = [
        max(same_round, key=lambda report: report["overhead_s"])
        for same_round in zip(*reports, strict=True)
        if all(report["overhead_s"] is not None for report in same_round)
    ]
    return {
        "model_bytes": size,
        "rounds": len(slowest),
        **{step: statistics.median(report[step] for report in slowest) for step in _STEPS},
        "overhead_p95_s": sorted(r["overhead_s"] for r in slowest)[int(0.95 * (len(slowest) - 1))],
    }


async def run(swarm: LocalSwarm, options: list[str]) -> None:
    """Start agents and training processes, and wait until the run is finished."""
    for site in swarm.sites:
        site.start_agent()
    await swarm.wait("agents", lambda: all(site.status() for site in swarm.sites), 60)
    command = [sys.executable, "-m", "scripts.quadratic_trainer", *options]
    for site in swarm.sites:
        site.start_training(command, {"INITIAL": str(swarm.initial)})
    await swarm.wait(
        "the run to finish",
        lambda: all(site.training and site.training.poll() == 0 for site in swarm.sites),
        300,
    )


def main() -> None:
    console = Console(stderr=True)
    console.print("Measuring the baseline: TLS over loopback …")
    speed = tls_bytes_per_s()
    figures: dict[str, Any] = {"baseline_tls_bytes_per_s": speed, "models": {}}
    table = Table(
        "model",
        "rounds",
        *(step.removesuffix("_s") + " s" for step in _STEPS),
        "baseline s",
        "ratio",
    )
    for name, (elements, rounds) in MODELS.items():
        console.print(f"Measuring {rounds} rounds with a model of {name} …")
        result = asyncio.run(measure(elements, rounds))
        # Three nodes send two files each; two cores carry three streams at this speed at best.
        result["baseline_s"] = 6 * result["model_bytes"] / speed
        result["ratio"] = result["overhead_s"] / result["baseline_s"]
        figures["models"][name] = result
        steps = (f"{result[step]:.3f}" for step in _STEPS)
        ratio = f"{result['ratio']:.1f}" if elements > 10**6 else "-"
        table.add_row(name, str(result["rounds"]), *steps, f"{result['baseline_s']:.3f}", ratio)
    Console().print(table)
    OUT.parent.mkdir(parents=True, exist_ok=True)
    OUT.write_text(json.dumps(figures, indent=2) + "\n")
    console.print(f"Written to {OUT}.")


if __name__ == "__main__":
    main()
