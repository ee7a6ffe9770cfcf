"""Merges and dot products have the same bits whatever the processor can do.

NumPy picks its inner loops by the processor's vector instructions, OpenBLAS its kernels by the
model. Both can be told to behave as on a lesser machine, in a process of its own.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tests.parameters.models import every_dtype, floats, saved

PROGRAM = """
import sys
from node_agent.merge.mean import merge
from node_agent.parameters.format import ParameterFile
from node_agent.scoring import dots

*paths, gradient, out = sys.argv[1:]
files = [ParameterFile.open(path) for path in paths]
print(merge(files, [3, 1, 2], out, {}).root.hex())
print([product.hex() for product in dots(ParameterFile.open(gradient), files[0], files[1:])])
"""


def dispatched_features() -> str:
    """All vector instruction sets that this NumPy has loops for beyond its baseline."""
    core = getattr(np, "_core", None) or np.core
    return " ".join(core._multiarray_umath.__cpu_dispatch__)


MACHINES = {
    "this one": {},
    "without vector instructions": {"NPY_DISABLE_CPU_FEATURES": dispatched_features()},
    "an old Core 2": {"OPENBLAS_CORETYPE": "Core2", "OPENBLAS_NUM_THREADS": "1"},
}


@pytest.fixture(scope="module")
def paths(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    folder = tmp_path_factory.mktemp("models")
    shapes = {"w": (300_007,), "v": (31, 9)}
    for seed in range(3):
        tensors = every_dtype(seed, length=1003) | floats(seed, shapes)
        saved(folder / str(seed), tensors, bfloat16=["BF16"])
    saved(folder / "gradient", floats(9, shapes))
    return [str(folder / name) for name in ("0", "1", "2", "gradient")]


def computed_on(machine: dict[str, str], paths: list[str], out: Path) -> str:
    command = [sys.executable, "-W", "ignore", "-c", PROGRAM, *paths, str(out)]
    root = Path(__file__).parents[2]
    environment = os.environ | {"PYTHONPATH": str(root)} | machine
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("machine", list(MACHINES)[1:])
def test_every_machine_computes_the_same_bits(tmp_path: Path, paths, machine: str) -> None:
    here = computed_on(MACHINES["this one"], paths, tmp_path / "here")
    there = computed_on(MACHINES[machine], paths, tmp_path / "there")
    assert there == here
    assert (tmp_path / "here").read_bytes() == (tmp_path / "there").read_bytes()
