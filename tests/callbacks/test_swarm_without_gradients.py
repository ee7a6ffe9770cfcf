from __future__ import annotations

import sys
from pathlib import Path

import pytest

from contracts.messages import unpack_shares
from examples.scikit_learn.train import build_model
from node_agent.callbacks.sklearn import save_parameters
from node_agent.engine.rhythm import ADAPTIVE
from scripts.local_swarm import LocalSwarm
from tests.callbacks.in_its_own_process import ROOT
from tests.callbacks.swarm_data import agreed_validation, deal
from tests.engine.swarms import seals

pytestmark = pytest.mark.timeout(180)


@pytest.mark.slow
async def test_sites_without_gradients_are_paid_by_losses_and_sync_more_often_as_they_learn(
    tmp_path: Path,
) -> None:
    agreed = agreed_validation("digits", tmp_path / "all")
    initial = tmp_path / "initial.safetensors"
    save_parameters(build_model(), initial)
    terms = {"max_rounds": 3, "merge_rule": 1, "sync_frequency": 16 | ADAPTIVE}
    async with LocalSwarm(tmp_path / "swarm", initial, validation=agreed, **terms) as swarm:
        for part, site in enumerate(swarm.sites):
            data = deal(tmp_path / "all", site, part, len(swarm.sites))
            site.start_agent()
            site.start_training(
                [sys.executable, "-m", "examples.scikit_learn.train"],
                {"DATA_DIR": str(data), "MAX_EPOCHS": "50", "PYTHONPATH": str(ROOT)},
            )
        await swarm.wait(
            "every program to end",
            lambda: all(s.training is not None and s.training.poll() == 0 for s in swarm.sites),
            110,
        )
        sealed = await seals(swarm)
        reports = [swarm.reports(site) for site in swarm.sites]
        programs = [(site.folder / "training.log").read_text() for site in swarm.sites]
    assert len(sealed) == 4
    assert sealed[-1].loss_after < sealed[0].loss_after
    rows = [dict(unpack_shares(event.shares)) for event in sealed[1:]]
    assert all(sum(row.values()) > 9_900 for row in rows)
    assert any(len(set(row.values())) > 1 for row in rows), "metered, not split equally"
    # ⌈16 · √(L / L₀)⌉ of what was sealed before, at every site.
    expected = [16, 16] + [
        next(t for t in range(2, 17) if t * t * sealed[0].loss_after >= 256 * event.loss_after)
        for event in sealed[1:-1]
    ]
    for of_site in reports:
        assert [report["sync_frequency"] for report in of_site] == expected
    assert expected[-1] < 16
    assert all("Final Swarm model was loaded." in program for program in programs)
