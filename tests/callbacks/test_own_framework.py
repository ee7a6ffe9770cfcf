from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from examples.hpe.data import prepare
from node_agent.parameters.format import ParameterFile
from tests.callbacks.in_its_own_process import ROOT
from tests.callbacks.stand_in import WELCOME, Line, StandInAgent, load, stop

FINAL = "All peers and Swarm training rounds finished. Final Swarm model was loaded."


def test_a_framework_of_ones_own_takes_under_80_lines_and_learns(
    socket_path: Path, tmp_path: Path
) -> None:
    program = ROOT / "examples/numpy_softmax/train.py"
    assert len(program.read_text().splitlines()) < 80
    adapter = program.read_text().partition("class SoftmaxTrainee")[2].partition("def main")[0]
    assert len(adapter.splitlines()) < 30
    prepare("digits", tmp_path / "data", seed=0)
    measured: list[dict[str, Any]] = []
    terms = WELCOME["terms"] | {"syncFrequency": 16}

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
        done = subprocess.run(
            [sys.executable, "-m", "examples.numpy_softmax.train"],
            cwd=ROOT,
            env={**os.environ, "DATA_DIR": str(tmp_path / "data"), "MAX_EPOCHS": "50"},
            capture_output=True,
            text=True,
            check=True,
        )
    assert FINAL in done.stdout
    start, end, gradient = (
        ParameterFile.open(tmp_path / name).tensors() for name in ("initial", "update", "gradient")
    )
    explained = sum(float(np.sum(gradient[name] * (end[name] - start[name]))) for name in gradient)
    gain = measured[0]["loss_after"] - measured[0]["loss_before"]
    assert gain < -0.2
    assert explained == pytest.approx(gain, rel=1e-3)
