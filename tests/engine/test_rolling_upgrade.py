"""Nodes are upgraded one after the other during a run; nobody has to agree on a moment."""

from __future__ import annotations

import sys

import pytest

from scripts.local_swarm import LocalSwarm, Site
from tests.engine.swarms import OFFSETS, Start, launch_agents, reaches, seals, train

pytestmark = [pytest.mark.timeout(300), pytest.mark.slow]


def release(versions: str) -> list[str]:
    """The agent of a release that speaks these versions."""
    return [sys.executable, "-m", "tests.engine.agent_of_release", versions]


async def upgrade(swarm: LocalSwarm, site: Site, versions: str) -> None:
    """As an operator does it: stop, start the newer one, see that it takes part; then the next."""
    assert site.agent is not None
    site.agent.terminate()
    site.agent.wait(10)
    site.start_agent(release(versions))
    await swarm.wait(
        f"{site.organization} to speak {versions}",
        lambda: site.status().get("protocol") == versions,
        60,
    )
    before = max(number or 0 for number in swarm.rounds())
    await swarm.wait(
        f"{site.organization} to be merged again",
        lambda: any(
            site.spiffe_id in each["members"] and each["round"] >= before
            for each in swarm.reports(site)
        ),
        60,
    )


@pytest.fixture(autouse=True)
def _no_site_is_at_the_optimum(monkeypatch: pytest.MonkeyPatch) -> None:
    """Or a run ends by its target before the last node is upgraded."""
    monkeypatch.setitem(OFFSETS, "west", 0.3)


async def test_one_after_the_other_is_upgraded_and_every_round_is_merged(start: Start) -> None:
    swarm = await start(max_rounds=1000, target_loss=0)
    for site in swarm.sites:
        site.start_agent(release("1-2"))
    await launch_agents(swarm)
    for site in swarm.sites:
        train(swarm, site, 0.1)
    await reaches(swarm, 2)
    # The newer release no longer speaks the oldest version, which is then used by nobody.
    for site in swarm.sites:
        await upgrade(swarm, site, "2-3")
    names = {site.spiffe_id for site in swarm.sites}
    for site in swarm.sites:
        assert site.status()["peers_protocol"] == dict.fromkeys(names - {site.spiffe_id}, "2-3")
    await reaches(swarm, max(number or 0 for number in swarm.rounds()) + 2)
    sealed = await seals(swarm)
    assert [event.round for event in sealed] == list(range(len(sealed)))
    assert all(any(event.roster_root) for event in sealed[1:]), "each has merged updates"
    last = [swarm.reports(site)[-1] for site in swarm.sites]
    assert all(set(each["members"]) == names for each in last)


async def test_who_is_two_releases_behind_is_told_so_and_the_others_go_on(start: Start) -> None:
    swarm = await start(max_rounds=1000, target_loss=0)
    *newer, older = swarm.sites
    for site in newer:
        site.start_agent(release("2-3"))
    older.start_agent(release("1-1"))
    await launch_agents(swarm)
    for site in swarm.sites:
        train(swarm, site, 0.1)
    await reaches(swarm, 3, newer)
    said = (older.folder / "agent.log").read_text()
    assert "this node speaks versions 1-1 of the peers' protocol" in said
    assert "upgrade swarm-node at this node" in said
    heard = (newer[0].folder / "agent.log").read_text()
    assert f"upgrade swarm-node at {older.spiffe_id}" in heard
    assert "is reached by nobody" not in heard
    assert older.agent is not None
    await upgrade(swarm, older, "1-2")
