"""New data has arrived: another run goes on from the model of one that is finished."""

from __future__ import annotations

import shutil

import pytest

from tests.engine.swarms import Start, finished, launch, seals

pytestmark = pytest.mark.timeout(180)


@pytest.mark.slow
async def test_a_run_goes_on_from_another_ones_model_also_at_a_site_that_has_lost_it(
    start: Start,
) -> None:
    swarm = await start(max_rounds=3)
    await launch(swarm)
    await finished(swarm)
    first = await seals(swarm)
    for site in swarm.sites:
        site.stop()
    forgetful = swarm.sites[2]
    for name in ("exchange", "models"):
        shutil.rmtree(forgetful.folder / name)
    await swarm.continue_run()
    await launch(swarm)
    await finished(swarm)
    second = (await seals(swarm))[len(first) :]
    assert [event.round for event in second] == [0, 1, 2, 3]
    assert second[0].merged_root == first[-1].merged_root
    assert second[0].loss_after == first[-1].loss_after
    assert second[-1].loss_after < first[-1].loss_after
    assert "peers are asked" in (forgetful.folder / "agent.log").read_text()
    members = [report["members"] for report in swarm.reports(swarm.sites[0])[-3:]]
    assert all(forgetful.spiffe_id in each for each in members)
