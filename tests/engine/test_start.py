"""Before round 1: who cannot reach whom is said, and who is wanted is waited for."""

from __future__ import annotations

import asyncio
import sys

import pytest

from scripts.local_swarm import Site
from tests.engine.swarms import Start, finished, launch_agents, reaches, seals, train

pytestmark = pytest.mark.timeout(180)


def cut(source: Site, target: Site) -> None:
    """Hand `source` an agent that finds no way to `target`; the other way is open."""
    source.start_agent(
        ["env", f"CUT={target.spiffe_id}", sys.executable, "-m", "tests.engine.cut_off_agent"]
    )


async def test_a_pair_that_cannot_connect_is_named_and_the_run_begins_nevertheless(
    start: Start,
) -> None:
    swarm = await start(max_rounds=2)
    north, south, west = swarm.sites
    cut(south, west)
    await launch_agents(swarm)
    line = f"{south.spiffe_id} cannot reach {west.spiffe_id}, others can"
    await swarm.wait(
        "all to name the pair",
        lambda: all(line in (s.folder / "agent.log").read_text() for s in swarm.sites),
        60,
    )
    assert list(south.status()["unreached"]) == [west.spiffe_id]
    assert north.status()["unreached"] == west.status()["unreached"] == {}
    for site in swarm.sites:
        train(swarm, site)
    await finished(swarm)


async def test_who_is_wanted_at_the_start_is_waited_for_although_fewer_may_seal(
    start: Start,
) -> None:
    swarm = await start(max_rounds=1000, target_loss=0)
    *early, late = swarm.sites
    for site in swarm.sites:
        path = site.folder / "agent.toml"
        path.write_text("ready_organizations = 3\n" + path.read_text())
    for site in early:
        site.start_agent()
        train(swarm, site, 0.02)
    await swarm.wait(
        "the missing one to be named",
        lambda: (
            f"{late.spiffe_id} is reached by nobody" in (early[0].folder / "agent.log").read_text()
        ),
        60,
    )
    await asyncio.sleep(1.0)  # long enough for a round, were it not for the last
    assert await seals(swarm) == []
    late.start_agent()
    train(swarm, late, 0.02)
    await reaches(swarm, 2)
