"""`make bench-round`: what a round costs beside training, for a tiny and for a 100 MB model.

Three nodes on this machine, real chain, mutual TLS, no training: each sends back what it loaded,
and the next round waits for the seal of this one. The baseline is what bare TLS connections
between processes of this machine, measured in the same run, need for the same exchange: six files
(each of three nodes to two others) and, one after the other, four messages with their answers
(commit, roster, file, attestation). Writes build/bench/round.json.
"""

from __future__ import annotations

import asyncio
import json
import statistics
import sys
import tempfile
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

from node_agent.parameters.format import write
from scripts import tls_baseline
from scripts.local_swarm import LocalSwarm

OUT = Path("build/bench/round.json")
MODELS = {"1 kB": (250, 20), "100 MB": (25_000_000, 6)}  # float32 numbers, rounds
_STEPS = ("commit_s", "exchange_s", "merge_s", "overhead_s")


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
    baseline = tls_baseline.measure()
    figures: dict[str, Any] = {"baseline": asdict(baseline), "models": {}}
    columns = [step.removesuffix("_s") for step in _STEPS]
    table = Table("model", "rounds", *columns, "overhead p95", "baseline", "ratio")
    for name, (elements, rounds) in MODELS.items():
        console.print(f"Measuring {rounds} rounds with a model of {name} …")
        result = asyncio.run(measure(elements, rounds))
        least_s = 6 * result["model_bytes"] / baseline.bytes_per_s + 4 * baseline.echo_s
        result |= {"baseline_s": least_s, "ratio": result["overhead_s"] / least_s}
        figures["models"][name] = result
        seconds = [*_STEPS, "overhead_p95_s", "baseline_s"]
        cells = (f"{result[step]:.4g}" for step in seconds)
        table.add_row(name, str(result["rounds"]), *cells, f"{result['ratio']:.1f}")
    table.caption = "seconds; medians over rounds of the slowest node"
    Console(width=110).print(table)
    OUT.parent.mkdir(parents=True, exist_ok=True)
    OUT.write_text(json.dumps(figures, indent=2) + "\n")
    console.print(f"Written to {OUT}.")


if __name__ == "__main__":
    main()
