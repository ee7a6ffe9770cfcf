"""A whole swarm in which scripts and agents are killed ends with the bytes of one left alone."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from pathlib import Path

import numpy as np
import pytest

from node_agent.callbacks.pytorch_model import TorchModel, write_tensors
from node_agent.parameters.format import ParameterFile
from scripts.local_swarm import LocalSwarm, Site
from tests.callbacks.deterministic.pytorch import build_model
from tests.callbacks.in_its_own_process import ROOT

pytestmark = [pytest.mark.timeout(1500), pytest.mark.slow]


def train(swarm: LocalSwarm, site: Site) -> None:
    started = site.folder / "started"
    started.unlink(missing_ok=True)
    site.start_training(
        [sys.executable, "-m", "tests.callbacks.deterministic.pytorch"],
        {
            "SEED": str(site.party),
            "BATCH_S": "0.05",
            "PYTHONPATH": str(ROOT),
            "STARTED": str(started),
        },
    )


def round_of(site: Site) -> int:
    return int(site.status().get("round") or 0)


async def final_model(
    folder: Path, name: str, *, killed_in: tuple[int, ...]
) -> dict[str, np.ndarray]:
    """The last model of a run in which processes of the sites are killed in these rounds.

    In turn: a script, the agent of the other site, a script, and so on.
    """
    initial = folder / f"{name}.safetensors"
    write_tensors(initial, TorchModel(build_model()).state(), {"format": "swarm-1"})
    # The leader waits for a killed site as long as it takes: who is in a roster decides the bytes.
    terms = {"max_rounds": 5, "target_loss": 0, "sync_frequency": 5}
    times = {"quorum_grace": 90_000, "leader_timeout": 120_000, "stall_time": 900}
    organizations = ("north", "south")
    async with LocalSwarm(
        folder / name, initial, organizations=organizations, **terms, **times
    ) as swarm:
        for site in swarm.sites:
            site.start_agent()
            train(swarm, site)
        for place, number in enumerate(killed_in):
            site = swarm.sites[place % 2]
            await swarm.wait("a round", lambda s=site, n=number: round_of(s) >= n, 400)
            process = site.agent if place % 2 else site.training
            assert process is not None
            os.kill(process.pid, signal.SIGKILL)
            process.wait()
            if place % 2:
                site.start_agent()
            else:
                train(swarm, site)
        await swarm.wait(
            "both programs to end",
            lambda: all(s.training is not None and s.training.poll() == 0 for s in swarm.sites),
            600,
        )
        roots = {swarm.reports(site)[-1]["merged_root"] for site in swarm.sites}
        [path] = (swarm.sites[0].folder / "exchange").rglob(f"{roots.pop()}.safetensors")
        assert not roots
        return {name: np.array(each) for name, each in ParameterFile.open(path).tensors().items()}


async def test_a_swarm_whose_scripts_and_agents_are_killed_ends_with_the_same_bytes(
    tmp_path: Path,
) -> None:
    whole, killed = await asyncio.gather(
        final_model(tmp_path, "whole", killed_in=()),
        final_model(tmp_path, "killed", killed_in=(1, 3, 4)),
    )
    assert whole.keys() == killed.keys()
    for name, array in whole.items():
        assert array.tobytes() == killed[name].tobytes(), name
