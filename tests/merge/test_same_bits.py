"""Every rule gives the same bytes whatever the order of arrival, the threads and the processor.

NumPy picks its inner loops by the processor's vector instructions, OpenBLAS its kernels by the
model. Both can be told to behave as on another machine, in a process of its own.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from node_agent.merge.registry import merge
from node_agent.parameters.format import ParameterFile
from tests.merge.sites import KEEP_STATE, MERGED, NAMES, base_of, site
from tests.parameters.models import every_dtype, floats, saved

SITES = 5
WEIGHTS = ([1] * SITES, [3, 1, 4, 1, 5])
RULES = [rule for rule in NAMES if rule not in KEEP_STATE] + ["server-momentum", "server-yogi"]
PROGRAM = """
import sys
from pathlib import Path
from node_agent.merge.gram import inner_products, square_norms
from node_agent.merge.registry import merge
from node_agent.parameters.format import ParameterFile

folder, out, threads, *rules = sys.argv[1:]
files = [ParameterFile.open(Path(folder) / f"site-{number}") for number in range(5)]
base = ParameterFile.open(Path(folder) / "base")
for centre in (base, None):
    for row in inner_products(files, centre, threads=int(threads)):
        print([product.hex() for product in row])
print([square.hex() for square in square_norms(files, base, threads=int(threads))])
for rule in rules:
    for weights in ([1] * 5, [3, 1, 4, 1, 5]):
        outcome = merge(rule, files, weights, out, {"run": "0x07"}, base=base,
                        state_path=out + "-state", threads=int(threads))
        print(rule, outcome.written.root.hex(), outcome.coefficients)
"""


def dispatched_features(*names: str) -> str:
    """Instruction sets that this NumPy has loops for beyond its baseline; all, or those named."""
    core = getattr(np, "_core", None) or np.core
    found = core._multiarray_umath.__cpu_dispatch__
    return " ".join(each for each in found if not names or any(name in each for name in names))


MACHINES = {
    "one thread": ({}, 1),
    "a Haswell without AVX-512": (
        {
            "OPENBLAS_CORETYPE": "Haswell",
            "NPY_DISABLE_CPU_FEATURES": dispatched_features("AVX512", "X86_V4"),
        },
        2,
    ),
    "a Core 2 without vector instructions": (
        {
            "OPENBLAS_CORETYPE": "Core2",
            "OPENBLAS_NUM_THREADS": "1",
            "NPY_DISABLE_CPU_FEATURES": dispatched_features(),
        },
        1,
    ),
    "a Zen": ({"OPENBLAS_CORETYPE": "Zen", "OPENBLAS_NUM_THREADS": "2"}, 2),
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("same-bits")
    shapes = {"w": (300_007,), "v": (31, 9)}
    models = [every_dtype(seed, 1003) | floats(seed, shapes) for seed in range(SITES + 1)]
    models[3]["w"] *= 50
    models[4]["w"] = np.abs(models[4]["w"]) + 9  # sums of one sign grow as large as sums can
    for number, model in enumerate(models[1:]):
        site(folder, number, model, ["BF16"])
    saved(folder / "base", models[0], {}, ["BF16"])
    return folder


def computed_on(machine: dict[str, str], threads: int, folder: Path, out: Path) -> str:
    command = [sys.executable, "-W", "ignore", "-c", PROGRAM, str(folder), str(out), str(threads)]
    root = Path(__file__).parents[2]
    environment = os.environ | {"PYTHONPATH": str(root)} | machine
    done = subprocess.run(
        [*command, *RULES], env=environment, capture_output=True, text=True, timeout=100
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def here(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    return computed_on({}, 2, folder, tmp_path_factory.mktemp("here") / "merged")


@pytest.mark.parametrize("machine", list(MACHINES))
def test_every_machine_computes_the_same_bits(tmp_path, folder, here: str, machine: str) -> None:
    environment, threads = MACHINES[machine]
    assert computed_on(environment, threads, folder, tmp_path / "merged") == here
    assert len(set(here.splitlines())) == 2 * SITES + 1 + 2 * len(RULES)


@pytest.mark.parametrize("rule", NAMES)
def test_a_hundred_orders_of_arrival_give_one_model(tmp_path: Path, rule: str) -> None:
    rng = np.random.default_rng(1)
    updates = rng.standard_normal((SITES, 20_000)) * rng.uniform(0.5, 20, (SITES, 1))
    files = [site(tmp_path, number, row) for number, row in enumerate(updates)]
    base, out = base_of(tmp_path, np.zeros(20_000)), tmp_path / "merged"
    seen = set()
    for attempt in range(100):
        order = rng.permutation(SITES)
        weights = [WEIGHTS[1][place] for place in order]
        outcome = merge(
            rule,
            [files[place] for place in order],
            weights,
            out,
            MERGED,
            base=base,
            state_path=tmp_path / "state",
            threads=1 + attempt % 2,
        )
        by_site = outcome.coefficients and tuple(
            outcome.coefficients[list(order).index(place)] for place in range(SITES)
        )
        seen.add((outcome.written.root, outcome.state and outcome.state.root, by_site))
    assert len(seen) == 1
    assert ParameterFile.open(out).root == seen.pop()[0]
