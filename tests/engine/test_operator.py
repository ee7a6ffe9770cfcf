"""What an operator decides during a run, and what the agent does for him without being asked."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import pytest

from contracts.keys import new_key
from contracts.messages import Bylaws, Suspicion, sign
from scripts.local_swarm import LocalSwarm, Site
from tests.engine.swarms import Start, kill, launch, launch_agents, reaches, train

pytestmark = pytest.mark.timeout(180)
DISHONEST = [sys.executable, "-m", "tests.engine.dishonest_agent"]
STAKE_WEI = 10**20


def node(site: Site, *command: str) -> str:
    """`swarm-node …` at a site; what it printed."""
    program = str(Path(sys.executable).with_name("swarm-node"))
    done = subprocess.run(
        [program, *command, "--config", str(site.folder)],
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout


async def test_a_suspected_node_says_at_once_that_it_is_alive(start: Start) -> None:
    swarm = await start()
    await launch_agents(swarm)
    north, south, _ = swarm.sites
    presence = swarm.contracts.presence
    before_wei = await swarm.chain.balance_wei(north.key.address)
    suspicion = Suspicion(swarm.agreement, north.party, south.party, 1, int(time.time()) + 600)
    signature = sign(swarm.contracts.domains.presence, suspicion, south.key)
    poster = swarm.embedded.deployer
    await presence.suspect(suspicion, signature, deposit_wei=10**15, signer=poster)
    assert (await presence.suspicion(swarm.agreement, north.party)).open
    await swarm.wait(
        "the answer", lambda: north.status().get("suspected", {}).get("answered", False), 30
    )
    case = await presence.suspicion(swarm.agreement, north.party)
    assert (case.number, case.open) == (1, False)
    await swarm.wait(
        "the deposit to be collected",
        lambda: north.status()["suspected"].get("collected_wei") == 10**15,
        30,
    )
    assert await presence.owed(north.key.address) == 0
    assert await swarm.chain.balance_wei(north.key.address) == before_wei + 10**15
    assert "suspected" not in south.status()


async def stake(swarm: LocalSwarm, site: Site) -> None:
    relayer, contracts = swarm.embedded.deployer, swarm.contracts
    await contracts.token.mint(relayer.address, STAKE_WEI, signer=relayer)
    await contracts.token.approve(contracts.stakes.address, STAKE_WEI, signer=relayer)
    await contracts.stakes.deposit(swarm.agreement, site.party, STAKE_WEI, signer=relayer)


async def test_who_contradicts_itself_is_proven_by_a_file_and_a_command(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    bylaws = Bylaws(penalty_recipient=new_key().address, penalty_bips=5000)
    swarm = await start(max_rounds=1000, target_loss=0, bylaws=bylaws)
    north, _, west = swarm.sites
    await stake(swarm, west)
    monkeypatch.setenv("DISHONEST", "two-faced")
    west.start_agent(DISHONEST)
    await launch(swarm, batch_s=0.05)
    await swarm.wait(
        "a proof", lambda: list((north.folder / "proofs").glob("update-*.json")) != [], 60
    )
    assert "swarm-node report-proof" in (north.folder / "agent.log").read_text()
    listed = node(north, "report-proof").splitlines()
    assert all(line.startswith(f"{west.spiffe_id}  update  round ") for line in listed)
    path = listed[0].split()[-1]
    assert "posted" in node(north, "report-proof", path)
    left = await swarm.contracts.stakes.stake(swarm.agreement, west.party)
    assert left.locked == STAKE_WEI // 2
    await reaches(swarm, max(number or 0 for number in swarm.rounds()) + 1, swarm.sites[:2])


@pytest.mark.slow
async def test_a_paused_node_is_missed_until_it_is_resumed_whatever_happens(start: Start) -> None:
    swarm = await start(max_rounds=1000, target_loss=0)
    await launch(swarm, batch_s=0.02)
    await reaches(swarm, 2)
    north, *others = swarm.sites
    assert "paused" in node(north, "pause")
    at = max(number or 0 for number in swarm.rounds())
    await reaches(swarm, at + 2)
    kill(north)
    north.start_agent()
    await reaches(swarm, at + 4)
    members = {r["round"]: r["members"] for r in swarm.reports(others[0])}
    assert all(north.spiffe_id not in members[number] for number in (at + 1, at + 2, at + 3))
    assert north.status()["paused"]
    node(north, "resume")
    await swarm.wait(
        "it to take part again",
        lambda: north.spiffe_id in swarm.reports(others[0])[-1]["members"],
        60,
    )


@pytest.mark.slow
async def test_two_paused_nodes_hold_the_run_up_until_one_is_resumed(start: Start) -> None:
    swarm = await start(max_rounds=1000, target_loss=0)
    await launch_agents(swarm)
    for site in swarm.sites[1:]:
        node(site, "pause")
    for site in swarm.sites:
        train(swarm, site, 0.02)
    await swarm.wait(
        "the pause to show",
        lambda: "1 of 3 organizations" in (swarm.sites[0].folder / "training.log").read_text(),
        30,
    )
    assert swarm.rounds() == [0, 0, 0]
    node(swarm.sites[1], "resume")
    await reaches(swarm, 2)
