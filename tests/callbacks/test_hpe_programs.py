"""Programs written for HPE Swarm Learning, started unchanged by `swarm-node exec`, real agents."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from contracts.messages import unpack_shares
from node_agent.parameters.format import ParameterFile
from scripts.local_swarm import LocalSwarm
from tests.callbacks.in_its_own_process import ROOT
from tests.callbacks.swarm_data import agreed_validation, deal
from tests.engine.swarms import seals

pytestmark = [pytest.mark.timeout(300), pytest.mark.slow]

FINAL = "All peers and Swarm training rounds finished. Final Swarm model was loaded."
PROGRAMS = {
    "fraud_detection": ("fraud", "tensorflow", "fraud.keras", ("north", "south", "west")),
    "transfer_learning": ("transfer", "tensorflow", "digits.keras", ("north", "south")),
    "digits": ("digits", "torchmetrics", "digits.safetensors", ("north", "south")),
    "text_classification": ("text", "transformers", "config.json", ("north", "south")),
}
VARIABLES = {
    "PYTHONPATH": str(ROOT),
    "TF_CPP_MIN_LOG_LEVEL": "3",
    "OMP_NUM_THREADS": "1",
    "MAX_EPOCHS": "50",
    "MIN_PEERS": "1",
    "SL_RAM_INTENSIVE": "False",
}
SWARM_NODE = str(Path(sys.executable).with_name("swarm-node"))


async def make_initial(program: str, data: Path, path: Path) -> None:
    await asyncio.to_thread(
        subprocess.run,
        [sys.executable, "-m", "examples.hpe.initial", program, "--out", str(path)],
        cwd=ROOT,
        env={**os.environ, **VARIABLES, "DATA_DIR": str(data)},
        check=True,
    )


@pytest.mark.parametrize("program", PROGRAMS)
async def test_a_program_for_hpe_runs_unchanged(program: str, tmp_path: Path) -> None:
    kind, framework, saved, organizations = PROGRAMS[program]
    if find_spec(framework) is None:
        pytest.skip(f"{framework} is not installed")
    data, initial = tmp_path / "all", tmp_path / "initial.safetensors"
    agreed = agreed_validation(kind, data)
    await make_initial(program, data, initial)
    if program == "transfer_learning":
        assert not any("trunk" in name for name in ParameterFile.open(initial).schema)
    metered = len(organizations) > 2
    async with LocalSwarm(
        tmp_path / "swarm",
        initial,
        validation=agreed if metered else None,
        organizations=organizations,
        max_rounds=3,
        target_loss=0,
        merge_rule=1,
    ) as swarm:
        for part, site in enumerate(swarm.sites):
            own = deal(data, site, part, len(swarm.sites))
            places = {"DATA_DIR": own, "MODEL_DIR": site.folder / "model"}
            site.start_agent()
            command = [SWARM_NODE, "exec", "-c", str(site.folder), "--", sys.executable]
            site.start_training(
                [*command, "-m", f"examples.hpe.{program}"],
                VARIABLES
                | {name: str(path) for name, path in places.items()}
                | {"SCRATCH_DIR": str(site.folder / "scratch"), "SWARM_AGENT_SOCKET": ""},
            )
        await swarm.wait(
            "every program to end",
            lambda: all(s.training is not None and s.training.poll() == 0 for s in swarm.sites),
            240,
        )
        sealed = await seals(swarm)
        ends = [swarm.reports(site)[-1] for site in swarm.sites]
        logs = [(site.folder / "training.log").read_text() for site in swarm.sites]
    assert {end["round"] for end in ends} == {3}
    assert len({end["merged_root"] for end in ends}) == 1
    assert sealed[-1].loss_after < 0.95 * sealed[0].loss_after
    if metered:
        rows = [dict(unpack_shares(event.shares)) for event in sealed[1:]]
        assert any(len(set(row.values())) > 1 for row in rows), "by gradients, not split equally"
    for site, said in zip(swarm.sites, logs, strict=True):
        assert FINAL in said
        assert said.count("minPeers is 1 in this script, but the terms of the run say 2") == 1
        assert said.count("SL_RAM_INTENSIVE is set to 'False'; here:") == 1
        if program == "fraud_detection":
            states = "mergeMethod is 'mean' in this script, but the terms of the run say "
            assert said.count(states + "'norm-clipped-mean'") == 1
        assert (site.folder / "model" / saved).exists()


def test_exec_says_what_is_wrong_in_numbers_and_hints(tmp_path: Path) -> None:
    (tmp_path / "agent.toml").write_text("")
    told = subprocess.run(
        [SWARM_NODE, "exec", "-c", str(tmp_path), "--", "no-such-program", "--flag"],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    assert told.returncode == 2
    assert "there is no program 'no-such-program'" in told.stderr
    assert "hint: give its path" in told.stderr
