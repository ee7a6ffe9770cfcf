"""Data and models, made and compared by processes of their own: only they import PyTorch."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from scripts.demo.draft import SYNC_FREQUENCY
from scripts.demo.parties import INSTITUTES
from scripts.demo.processes import Processes
from scripts.demo.settings import Settings

COMPARISON = "comparison"
_DATA_TIMEOUT_S = 60.0
_ANSWER_TIMEOUT_S = 60.0


async def prepare_data(processes: Processes, settings: Settings) -> None:
    """Cuts the data into the sites' and the common sets, and draws the initial parameters."""
    options = ["--out", str(settings.data), "--seed", str(settings.seed)]
    command = [sys.executable, "-m", "examples.breast_cancer.data", *options]
    await processes.run("data", command, _DATA_TIMEOUT_S)


async def start_comparison(processes: Processes, settings: Settings) -> None:
    """Starts training each site alone, and all pooled, in idle moments of the machine."""
    command = ["nice", sys.executable, "-m", "scripts.demo.compare"]
    numbers = {"seed": settings.seed, "rounds": settings.rounds, "batches": SYNC_FREQUENCY}
    options = [text for name, number in numbers.items() for text in (f"--{name}", str(number))]
    command += ["--data", str(settings.data), *options]
    await processes.start(COMPARISON, command, talks=True)


async def compare(processes: Processes, rounds: int, model: Path) -> dict[str, dict[str, Any]]:
    """Accuracy and AUC on the test set, after so many rounds: `alone`, `swarm` and `pooled`."""
    question = json.dumps({"rounds": rounds, "model": str(model)}) + "\n"
    found: Mapping[str, Mapping[str, float]] = json.loads(
        await processes.ask(COMPARISON, question, _ANSWER_TIMEOUT_S)
    )
    return {
        measure: {
            "alone": [round(found[each.key][measure], 6) for each in INSTITUTES],
            "swarm": round(found["swarm"][measure], 6),
            "pooled": round(found["pooled"][measure], 6),
        }
        for measure in ("accuracy", "auc")
    }
