"""The diffs of docs/frameworks.md and README.md apply to the scripts, are short, and work."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from examples.hpe.data import prepare
from tests.callbacks.in_its_own_process import ROOT
from tests.callbacks.stand_in import WELCOME, Line, StandInAgent, load, stop

FINAL = "All peers and Swarm training rounds finished. Final Swarm model was loaded."
SCRIPTS = ("pytorch_script", "keras_script", "trainer_script")


def diff_of(script: str) -> str:
    text = (ROOT / "docs/frameworks.md").read_text()
    [diff] = [d for d in re.findall(r"```diff\n(.*?)```", text, re.DOTALL) if f"/{script}.py" in d]
    return diff


def applied(script: str, folder: Path) -> Path:
    """A copy of the script, changed as the document says."""
    path = folder / f"examples/frameworks/{script}.py"
    path.parent.mkdir(parents=True)
    path.write_text((ROOT / f"examples/frameworks/{script}.py").read_text())
    command = ["git", "apply", "--unidiff-zero", "-"]
    # Not part of whatever repository the folder may be in.
    alone = {**os.environ, "GIT_CEILING_DIRECTORIES": str(folder.parent)}
    subprocess.run(command, input=diff_of(script).encode(), cwd=folder, env=alone, check=True)
    return path


@pytest.mark.parametrize("script", SCRIPTS)
def test_at_most_five_lines_change_and_the_diff_applies(script: str, tmp_path: Path) -> None:
    assert diff_of(script) in (ROOT / "README.md").read_text()
    added = [line for line in diff_of(script).splitlines() if re.match(r"\+(?!\+\+ )", line)]
    assert len(added) <= 5
    changed = applied(script, tmp_path).read_text()
    compile(changed, script, "exec")
    for line in added:
        assert line[1:] in changed.splitlines()


def test_the_pytorch_script_then_trains_with_the_swarm(socket_path: Path, tmp_path: Path) -> None:
    prepare("digits", tmp_path / "data", seed=0)
    changed = applied("pytorch_script", tmp_path / "repository")
    start, update = tmp_path / "start", tmp_path / "update"
    measured = {}

    def agent(line: Line) -> None:
        line.welcome(terms=WELCOME["terms"] | {"syncFrequency": 8})
        line.hear()
        line.ask({"do": "write", "path": str(start), "metadata": {}})
        line.ask(load(start))
        line.hear()
        line.ask({"do": "write", "path": str(update), "metadata": {}})
        paths = {"base": str(start), "merged": str(update), "gradient": None}
        measured.update(line.ask({"do": "evaluate", "points": [], **paths}))
        line.ask(stop(update))

    with StandInAgent(socket_path, agent):
        done = subprocess.run(
            [sys.executable, str(changed)],
            env={**os.environ, "DATA_DIR": str(tmp_path / "data"), "PYTHONPATH": str(ROOT)},
            capture_output=True,
            text=True,
            check=True,
        )
    assert FINAL in done.stdout
    assert "digits are recognized" in done.stdout
    assert measured["loss_after"] < measured["loss_before"]
