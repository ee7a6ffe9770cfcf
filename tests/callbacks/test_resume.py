"""A script that is killed, at whatever step, ends with the bytes of one that was not."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import pytest

from tests.callbacks.deterministic.killed import WINDOW
from tests.callbacks.in_its_own_process import ROOT
from tests.callbacks.merging_agent import MergingAgent
from tests.callbacks.stand_in import StandInAgent

ROUNDS = 5


@dataclass(frozen=True, slots=True)
class Script:
    """One of tests/callbacks/deterministic, and how it gets its data."""

    name: str
    package: str
    gradients: bool = True
    data: str = ""


SCRIPTS = {
    "sklearn": Script("sklearn", "sklearn", gradients=False),
    "pytorch": Script("pytorch", "torch"),
    "keras-dataset": Script("keras", "tensorflow", data="dataset"),
    "keras-pydataset": Script("keras", "tensorflow", data="rows"),
    "keras-function": Script("keras", "tensorflow", data="function"),
    "trainer": Script("trainer", "transformers"),
}
SLOW = ("pytorch", "keras", "trainer")


def scripts(*names: str) -> list[object]:
    """Test parameters; slow is what takes long to import."""
    return [pytest.param(n, marks=pytest.mark.slow if n.startswith(SLOW) else ()) for n in names]


def final_bytes(
    script: Script, folder: Path, *, seed: int | None = None, deterministic: bool = True
) -> bytes:
    """The last model; with a seed, of a script that was killed at the steps that it draws.

    The first time and the last in the middle of a batch, in between right after its update was
    sealed, when it has not loaded the merge yet.
    """
    drawn = random.Random(seed)
    first, last = drawn.randint(1, 2 * WINDOW), drawn.randint(1, 2 * WINDOW)
    sealed = (first - 1) // WINDOW + drawn.randint(1, 2)
    batches = [first, 0, last] if seed else []
    agent = MergingAgent(
        folder, ROUNDS, gradients=script.gradients, kills_after_round=sealed if seed else 0
    )
    with tempfile.TemporaryDirectory(prefix="swarm-") as short:
        socket_path = Path(short, "agent.sock")
        with StandInAgent(socket_path, *[agent.session] * (len(batches) + 1)):
            for killed_in in batches:
                assert run(script, folder, socket_path, killed_in, deterministic) == -signal.SIGKILL
            assert run(script, folder, socket_path, 0, deterministic) == 0
    assert agent.round == ROUNDS
    return agent.base.read_bytes()


def run(
    script: Script, folder: Path, socket_path: Path, killed_in: int, deterministic: bool
) -> int:
    with (folder / "training.log").open("ab") as log:
        done = subprocess.run(
            [sys.executable, "-m", f"tests.callbacks.deterministic.{script.name}"],
            env={
                **os.environ,
                "PYTHONPATH": str(ROOT),
                "SWARM_AGENT_SOCKET": str(socket_path),
                "KILLED_IN": str(killed_in),
                "DETERMINISTIC": str(int(deterministic)),
                "DATA": script.data,
                "STARTED": str(folder / "started"),
                "SCRATCH_DIR": str(folder / "scratch"),
                "KERAS_BACKEND": "tensorflow",
                "TF_CPP_MIN_LOG_LEVEL": "3",
                "CUDA_VISIBLE_DEVICES": "",
                "HF_HUB_OFFLINE": "1",
                "OMP_NUM_THREADS": "1",
            },
            stdout=log,
            stderr=log,
            check=False,
            timeout=400,
        )
    if done.returncode not in (0, -signal.SIGKILL):
        print((folder / "training.log").read_text()[-6000:])
    return done.returncode


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], bytes]:
    """The last model of a script that nobody kills."""
    found: dict[str, bytes] = {}

    def of(name: str) -> bytes:
        if find_spec(SCRIPTS[name].package) is None:
            pytest.skip(f"{SCRIPTS[name].package} is not installed")
        if name not in found:
            found[name] = final_bytes(SCRIPTS[name], tmp_path_factory.mktemp("whole") / name)
        return found[name]

    return of


@pytest.mark.timeout(1800)
@pytest.mark.parametrize("seed", [2, 7])
@pytest.mark.parametrize("name", scripts(*SCRIPTS))
def test_a_script_that_is_killed_again_and_again_ends_with_the_same_bytes(
    name: str, seed: int, uninterrupted: Callable[[str], bytes], tmp_path: Path
) -> None:
    whole = uninterrupted(name)
    assert final_bytes(SCRIPTS[name], tmp_path / name, seed=seed) == whole


@pytest.mark.timeout(1800)
@pytest.mark.parametrize("name", scripts("sklearn", "pytorch", "keras-dataset", "trainer"))
def test_without_the_deterministic_option_it_ends_with_others(
    name: str, uninterrupted: Callable[[str], bytes], tmp_path: Path
) -> None:
    whole = uninterrupted(name)
    assert final_bytes(SCRIPTS[name], tmp_path / name, seed=7, deterministic=False) != whole
