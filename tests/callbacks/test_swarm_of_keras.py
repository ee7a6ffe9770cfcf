from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

from examples.hpe.data import prepare, read
from node_agent.parameters.format import ParameterFile, write
from scripts.local_swarm import LocalSwarm
from tests.callbacks.in_its_own_process import ROOT

VARIABLES = {
    "PYTHONPATH": f"{ROOT}:{ROOT / 'node_agent/hpe'}",
    "TF_CPP_MIN_LOG_LEVEL": "3",
    "OMP_NUM_THREADS": "1",
    "MAX_EPOCHS": "50",
}
INITIAL = """
from pathlib import Path
from examples.hpe.fraud_detection import build_model
from node_agent.callbacks.keras import save_parameters
save_parameters(build_model(), Path({path!r}))
"""


@pytest.mark.slow
@pytest.mark.skipif(find_spec("tensorflow") is None, reason="TensorFlow is not installed")
async def test_three_sites_train_a_keras_program_for_hpe_and_are_paid_by_its_gradients(
    tmp_path: Path,
) -> None:
    prepare("fraud", tmp_path, seed=0)
    x, y = read(tmp_path, "train")
    agreed = tmp_path / "validation.safetensors"
    inputs, targets = read(tmp_path, "validation")
    write(agreed, {"inputs": inputs, "targets": targets}, {"format": "swarm-1", "kind": "data"})
    initial = tmp_path / "initial.safetensors"
    make_initial = INITIAL.format(path=str(initial))
    environment = {**os.environ, **VARIABLES}
    command = [sys.executable, "-c", make_initial]
    await asyncio.to_thread(subprocess.run, command, cwd=ROOT, env=environment, check=True)
    async with LocalSwarm(tmp_path / "swarm", initial, validation=agreed, max_rounds=3) as swarm:
        for part, site in enumerate(swarm.sites):
            data = site.folder / "data"
            data.mkdir()
            np.savez(data / "train.npz", x=x[part::3], y=y[part::3])
            np.savez(data / "validation.npz", x=inputs, y=targets)
            site.start_agent()
            site.start_training(
                [sys.executable, "-m", "examples.hpe.fraud_detection"],
                {**VARIABLES, "DATA_DIR": str(data), "MODEL_DIR": str(site.folder / "model")},
            )
        await swarm.wait(
            "every program to end",
            lambda: all(s.training is not None and s.training.poll() == 0 for s in swarm.sites),
            110,
        )
        ends = [swarm.reports(site)[-1] for site in swarm.sites]
        logs = [(site.folder / "training.log").read_text() for site in swarm.sites]
        accounts = [
            await swarm.contracts.rewards.account(swarm.run_id, site.party) for site in swarm.sites
        ]
    assert {end["round"] for end in ends} == {3}
    assert len({end["merged_root"] for end in ends}) == 1
    assert len({account.accrued for account in accounts}) > 1, "pay is metered, not split equally"
    assert all("Final Swarm model was loaded." in log for log in logs)
    assert all((site.folder / "model" / "fraud.keras").is_file() for site in swarm.sites)
    assert sorted(ParameterFile.open(initial).schema) == ["dense/bias", "dense/kernel"]
