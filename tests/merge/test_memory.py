"""Merging models of 100 MB needs less memory than one of them, beyond the mapped files."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tests.merge.sites import NAMES
from tests.parameters.models import saved

ELEMENTS = 25_000_000
MODEL_KB = ELEMENTS * 4 // 1024
PROGRAM = """
import sys, threading
from pathlib import Path
from node_agent.merge.registry import merge
from node_agent.parameters.format import ParameterFile

def anonymous_kb():  # memory of our own; pages of mapped files are the page cache's
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("RssAnon"))

folder, rule = sys.argv[1:]
files = [ParameterFile.open(Path(folder) / str(number)) for number in range(3)]
before, peak, done = anonymous_kb(), 0, threading.Event()

def watch():
    global peak
    while not done.wait(0.002):
        peak = max(peak, anonymous_kb())

watcher = threading.Thread(target=watch)
watcher.start()
merge(rule, files, [1, 2, 3], folder + "/merged", {}, base=files[0],
      state_path=folder + "/state", threads=2)
done.set()
watcher.join()
print(peak - before)
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("large")
    numbers = np.random.default_rng(0).standard_normal(ELEMENTS, np.float32)
    for number in range(3):
        saved(folder / str(number), {"w": np.roll(numbers, number)}, {"node": str(number)})
    return folder


@pytest.mark.parametrize("rule", [name for name in NAMES if name not in ("krum", "server-yogi")])
def test_a_merge_holds_blocks_and_no_model(folder: Path, rule: str) -> None:
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])}
    command = [sys.executable, "-c", PROGRAM, str(folder), rule]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=100)
    assert done.returncode == 0, done.stderr
    assert 0 < int(done.stdout) < MODEL_KB
