from __future__ import annotations

import json
import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from examples.hpe.data import prepare
from node_agent.exec import environment
from node_agent.parameters.format import ParameterFile
from tests.callbacks.in_its_own_process import ROOT
from tests.callbacks.stand_in import WELCOME, Line, StandInAgent, load, stop

FINAL = "All peers and Swarm training rounds finished. Final Swarm model was loaded."
TERMS = WELCOME["terms"] | {"syncFrequency": 8, "mergeMethod": "norm-clipped-mean", "minPeers": 3}
PROGRAMS = {
    "fraud_detection": ("fraud", "tensorflow", "fraud.keras"),
    "transfer_learning": ("transfer", "tensorflow", "digits.keras"),
    "digits": ("digits", "torchmetrics", "digits.safetensors"),
    "text_classification": ("text", "transformers", "config.json"),
}


def run_program(module: str, socket_path: Path, folder: Path, **variables: str) -> str:
    (folder / "agent.toml").write_text(f"socket = {json.dumps(str(socket_path))}\n")
    done = subprocess.run(
        [sys.executable, "-m", module],
        cwd=ROOT,
        env=environment(folder, os.environ)
        | {
            "PYTHONPATH": os.pathsep.join((str(ROOT), str(ROOT / "node_agent/hpe"))),
            "DATA_DIR": str(folder / "data"),
            "MODEL_DIR": str(folder / "model"),
            "SCRATCH_DIR": str(folder / "scratch"),
            "MAX_EPOCHS": "50",
            "TF_CPP_MIN_LOG_LEVEL": "3",
            "OMP_NUM_THREADS": "1",
            **variables,
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-4000:]
    return done.stdout


def swarm_of_one(folder: Path, rounds: int, measured: list[dict[str, Any]]) -> Any:
    """The agent of a swarm in which this site is alone: every update is the merged model."""

    def agent(line: Line) -> None:
        line.welcome(terms=TERMS)
        line.hear()
        base = folder / "initial"
        line.ask({"do": "write", "path": str(base), "metadata": {}})
        line.ask(load(base))
        for round_ in range(1, rounds + 1):
            assert line.hear()["steps"] == 8, "the terms' frequency, not the program's"
            update = folder / f"update-{round_}"
            line.ask({"do": "write", "path": str(update), "metadata": {}})
            points = [[0.1127, 5 / 18], [0.5, 8 / 18], [0.8873, 5 / 18]]
            paths = {"base": str(base), "merged": str(update), "gradient": str(folder / "gradient")}
            measured.append(line.ask({"do": "evaluate", "points": points, **paths}))
            line.ask(stop(update) if round_ == rounds else load(update, round_))
            base = update

    return agent


@pytest.mark.slow
@pytest.mark.parametrize("program", PROGRAMS)
def test_a_program_for_hpe_runs_unchanged(program: str, socket_path: Path, tmp_path: Path) -> None:
    data, framework, saved = PROGRAMS[program]
    if find_spec(framework) is None:
        pytest.skip(f"{framework} is not installed")
    prepare(data, tmp_path / "data", seed=0)
    measured: list[dict[str, Any]] = []
    with StandInAgent(socket_path, swarm_of_one(tmp_path, 6, measured)) as stand_in:
        said = run_program(
            f"examples.hpe.{program}", socket_path, tmp_path, SL_RAM_INTENSIVE="False"
        )
    assert measured[-1]["loss_after"] < 0.8 * measured[0]["loss_before"]
    assert measured[-1]["metric"] > measured[0]["metric"] or measured[-1]["metric"] > 0.85
    assert FINAL in said
    assert said.count("minPeers is 2 in this script, but the terms of the run say 3") == 1
    assert said.count("SL_RAM_INTENSIVE is set to 'False'; here:") == 1
    assert "round 5: loss 0.5000, metric 0.9000, epochs" in said
    assert "5 of 24 rounds" in said
    assert (tmp_path / "model" / saved).exists()
    assert stand_in.heard[0]["claims"]["minPeers"] == 2
    if program == "transfer_learning":
        assert not any("trunk" in name for name in ParameterFile.open(tmp_path / "initial").schema)


def test_a_framework_of_ones_own_takes_under_80_lines_and_learns(
    socket_path: Path, tmp_path: Path
) -> None:
    program = ROOT / "examples/numpy_softmax/train.py"
    assert len(program.read_text().splitlines()) < 80
    adapter = program.read_text().partition("class SoftmaxTrainee")[2].partition("def main")[0]
    assert len(adapter.splitlines()) < 30
    prepare("digits", tmp_path / "data", seed=0)
    measured: list[dict[str, Any]] = []
    terms = TERMS | {"minPeers": 2, "syncFrequency": 16}

    def agent(line: Line) -> None:
        base, update = tmp_path / "initial", tmp_path / "update"
        line.welcome(terms=terms)
        line.hear()
        line.ask({"do": "write", "path": str(base), "metadata": {}})
        line.ask(load(base))
        assert line.hear()["samples"] > 500
        line.ask({"do": "write", "path": str(update), "metadata": {}})
        paths = {"base": str(base), "merged": str(update), "gradient": str(tmp_path / "gradient")}
        points = [[0.1127, 5 / 18], [0.5, 8 / 18], [0.8873, 5 / 18]]
        measured.append(line.ask({"do": "evaluate", "points": points, **paths}))
        line.ask(stop(update))

    with StandInAgent(socket_path, agent):
        said = run_program("examples.numpy_softmax.train", socket_path, tmp_path)
    assert FINAL in said
    start, end, gradient = (
        ParameterFile.open(tmp_path / name).tensors() for name in ("initial", "update", "gradient")
    )
    explained = sum(float(np.sum(gradient[name] * (end[name] - start[name]))) for name in gradient)
    gain = measured[0]["loss_after"] - measured[0]["loss_before"]
    assert gain < -0.2
    assert explained == pytest.approx(gain, rel=1e-3)
