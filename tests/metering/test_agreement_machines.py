"""Honest nodes on different processors agree; one who bends a share by two percent is refused.

Each measurement runs in a process of its own, with the matrix kernels of another processor family
and another number of threads, in float32: the differences are those of real machines.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from itertools import pairwise, permutations
from pathlib import Path

import numpy as np
import pytest

from metering.agreement import STANDARD, Measurement, agrees
from metering.fixed import metric_to_fixed, to_fixed
from metering.split import metered_row
from metering.vesting import Pool
from tests.metering.one_machine import NumpyModel

POOL_WEI = 10**24
NUMPY_MACHINES = [
    ("numpy", {"OPENBLAS_CORETYPE": kernel, "OMP_NUM_THREADS": threads})
    for kernel in ("PRESCOTT", "SANDYBRIDGE", "HASWELL")
    for threads in ("1", "2")
]
TORCH_MACHINES = [
    ("torch", {"MKL_ENABLE_INSTRUCTIONS": mkl, "ATEN_CPU_CAPABILITY": aten, "OMP_NUM_THREADS": n})
    for mkl, aten, n in (("SSE4_2", "default", "1"), ("AVX2", "avx2", "2"))
]


def write_problem(path: Path) -> None:
    """Five sites, from most useful to useless, after a little training; all from one process."""
    rng = np.random.default_rng(8)
    centers = rng.standard_normal((10, 64))

    def sample(count: int, flipped: float = 0.0) -> tuple[np.ndarray, np.ndarray]:
        y = rng.integers(0, 10, count)
        x = centers[y] + 1.5 * rng.standard_normal((count, 64))
        return x, np.where(rng.random(count) < flipped, rng.integers(0, 10, count), y)

    x, y = sample(3000)
    sites = [
        sample(count, flipped)
        for count, flipped in ((600, 0.0), (300, 0.0), (150, 0.1), (300, 0.4), (100, 0.95))
    ]
    arrays: dict[str, np.ndarray] = {"x": x, "y": y}
    for name, widths in (("softmax", (64, 10)), ("mlp", (64, 96, 10))):
        size = sum((i + 1) * o for i, o in pairwise(widths))
        w, updates = 0.05 * rng.standard_normal(size), []
        for site in sites:
            model, trained = NumpyModel(*site, widths), w.copy()
            for _ in range(6):
                trained -= 0.3 * model.gradient(trained)
            updates.append(trained - w)
        arrays |= {
            f"{name}_widths": np.array(widths),
            f"{name}_w": w,
            f"{name}_u": np.array(updates),
        }
    np.savez(path, **arrays)


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[dict]]:
    """What every machine measures, by model."""
    pytest.importorskip("torch")
    path = tmp_path_factory.mktemp("problem") / "problem.npz"
    write_problem(path)
    results: dict[str, list[dict]] = {"softmax": [], "mlp": []}
    for framework, settings in [*NUMPY_MACHINES, *TORCH_MACHINES]:
        printed = subprocess.run(
            [sys.executable, "-m", "tests.metering.one_machine", framework, str(path)],
            env={**os.environ, **settings},
            cwd=Path(__file__).parents[2],
            capture_output=True,
            check=True,
        ).stdout
        for model, numbers in json.loads(printed).items():
            results[model].append(numbers)
    return results


def attested(numbers: dict) -> Measurement:
    return Measurement(
        to_fixed(numbers["loss_before"]),
        to_fixed(numbers["loss_after"]),
        metric_to_fixed(numbers["metric"]),
        metered_row(dict(enumerate(numbers["phi"]))),
    )


@pytest.fixture(params=["softmax", "mlp"])
def machines(request: pytest.FixtureRequest, measured: dict[str, list[dict]]) -> list[Measurement]:
    return [attested(numbers) for numbers in measured[request.param]]


def available_wei(proposed: Measurement) -> int:
    """What the round divides, if its loss is sealed: about half of the pool."""
    target_e9 = 2 * proposed.loss_after_e9 - proposed.loss_before_e9
    return Pool(POOL_WEI, proposed.loss_before_e9, max(target_e9, 0)).available_wei(
        proposed.loss_after_e9
    )


@pytest.mark.parametrize("model", ["softmax", "mlp"])
def test_the_machines_do_differ(measured: dict[str, list[dict]], model: str) -> None:
    """Otherwise the tests below would show nothing."""
    assert len({json.dumps(numbers) for numbers in measured[model]}) >= 3


def test_any_leader_is_signed_for_by_every_other_machine(machines: list[Measurement]) -> None:
    for mine, proposed in permutations(machines, 2):
        available = available_wei(proposed)
        assert available > POOL_WEI // 3
        assert agrees(mine, proposed, available_wei=available, pool_wei=POOL_WEI) is None


def test_honest_machines_use_less_than_a_tenth_of_the_tolerance(
    machines: list[Measurement],
) -> None:
    for mine, proposed in permutations(machines, 2):
        for own, other in (
            (mine.loss_before_e9, proposed.loss_before_e9),
            (mine.loss_after_e9, proposed.loss_after_e9),
        ):
            allowed = STANDARD.loss_absolute_e9 + own * STANDARD.loss_relative_ppm // 10**6
            assert abs(own - other) < allowed / 10
        shares = [abs(a - b) for (_, a), (_, b) in zip(mine.shares, proposed.shares, strict=True)]
        assert max(shares) < 10, "basis points, where 100 are allowed"


@pytest.mark.parametrize("bips", [200, -200])
def test_a_leader_who_moves_a_share_by_two_percent_is_refused_by_all(
    machines: list[Measurement], bips: int
) -> None:
    for mine, honest in permutations(machines, 2):
        (first, own), (second, other), *rest = honest.shares
        bent = Measurement(
            honest.loss_before_e9,
            honest.loss_after_e9,
            honest.metric_e9,
            ((first, own + bips), (second, other - bips), *rest),
        )
        refusal = agrees(mine, bent, available_wei=available_wei(honest), pool_wei=POOL_WEI)
        assert refusal is not None
        assert refusal.what == "credit of party 0 [wei]"
