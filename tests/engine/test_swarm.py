"""Three agents as processes, a real chain between them: what happens when things go wrong."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from contracts.events import Sealed, logs
from contracts.messages import unpack_rejects
from node_agent.parameters.format import write
from scripts.local_swarm import LocalSwarm, Site

pytestmark = pytest.mark.timeout(180)
OFFSETS = {"north": -0.1, "south": 0.0, "west": 0.1}
TRAINER = [sys.executable, "-m", "scripts.quadratic_trainer"]

Start = Callable[..., Awaitable[LocalSwarm]]


@pytest.fixture
async def start(tmp_path: Path) -> AsyncIterator[Start]:
    async with AsyncExitStack() as stack:

        async def _start(**terms: Any) -> LocalSwarm:
            initial, agreed = tmp_path / "initial.safetensors", tmp_path / "agreed.safetensors"
            metadata = {"format": "swarm-1", "kind": "initial"}
            write(initial, {"w": np.zeros(2000, np.float32)}, metadata)
            write(agreed, {"inputs": np.ones(1, np.float32)}, {"format": "swarm-1"})
            return await stack.enter_async_context(
                LocalSwarm(tmp_path, initial, validation=agreed, **terms)
            )

        yield _start


def train(swarm: LocalSwarm, site: Site, batch_s: float = 0.0) -> None:
    options = ["--offset", str(OFFSETS[site.organization]), "--batch-s", str(batch_s)]
    site.start_training([*TRAINER, *options], {"INITIAL": str(swarm.initial)})


def kill(site: Site) -> None:
    """kill -9 of the agent; its training process lives on and waits for it."""
    assert site.agent is not None
    os.kill(site.agent.pid, signal.SIGKILL)
    site.agent.wait()


async def launch_agents(swarm: LocalSwarm) -> None:
    for site in swarm.sites:
        if site.agent is None:
            site.start_agent()
    await swarm.wait("agents", lambda: all(site.status() for site in swarm.sites), 60)


async def launch(swarm: LocalSwarm, batch_s: float = 0.0) -> None:
    await launch_agents(swarm)
    for site in swarm.sites:
        train(swarm, site, batch_s)


async def finished(swarm: LocalSwarm) -> None:
    await swarm.wait(
        "the run to finish",
        lambda: all(site.status().get("state") == "finished" for site in swarm.sites),
        120,
    )


async def seals(swarm: LocalSwarm) -> list[Sealed]:
    block = await swarm.chain.block_number()
    events = await logs(swarm.chain, swarm.contracts.deployment, 0, block)
    return [event for event in events if isinstance(event, Sealed)]


async def accrued(swarm: LocalSwarm) -> dict[str, int]:
    rewards = swarm.contracts.rewards
    return {
        site.organization: (await rewards.account(swarm.run_id, site.party)).accrued
        for site in swarm.sites
    }


async def reaches(swarm: LocalSwarm, round_number: int, sites: list[Site] | None = None) -> None:
    await swarm.wait(
        f"round {round_number}",
        lambda: all((s.status().get("round") or 0) >= round_number for s in sites or swarm.sites),
        60,
    )


async def test_everyone_merges_the_same_and_good_work_is_paid(start: Start) -> None:
    swarm = await start(max_rounds=6)
    await launch(swarm)
    await finished(swarm)
    sealed = await seals(swarm)
    assert [event.round for event in sealed] == list(range(7))
    for event in sealed:
        roots = {
            report["merged_root"]
            for site in swarm.sites
            for report in swarm.reports(site)
            if report["round"] == event.round and report["merged_root"]
        }
        assert roots == {event.merged_root.hex()}
    losses = [event.loss_after for event in sealed]
    assert losses == sorted(losses, reverse=True)
    pool = await swarm.contracts.rewards.pool(swarm.run_id)
    paid = await accrued(swarm)
    assert 0 < sum(paid.values()) == pool.credited <= pool.funded
    # West overshoots the optimum by as much as north stays behind: its steps are the longest.
    assert paid["north"] < paid["south"] < paid["west"]


@pytest.mark.parametrize("who", ["leader", "follower"])
async def test_a_killed_agent_is_missed_for_a_while_and_comes_back(start: Start, who: str) -> None:
    swarm = await start(max_rounds=1000, target_loss=0)
    await launch(swarm, batch_s=0.02)
    await reaches(swarm, 3)
    leader = swarm.sites[0].status()["leader"]
    victim = next(s for s in swarm.sites if (s.spiffe_id == leader) == (who == "leader"))
    others = [site for site in swarm.sites if site is not victim]
    kill(victim)
    at = max(site.status()["round"] for site in others)
    await reaches(swarm, at + 3, others)
    members = {r["round"]: r["members"] for r in swarm.reports(others[0])}
    assert victim.spiffe_id not in members[at + 1]
    victim.start_agent()
    await swarm.wait(
        "the restarted agent to take part",
        lambda: victim.spiffe_id in swarm.reports(others[0])[-1]["members"],
        60,
    )
    sealed = await seals(swarm)
    assert [event.round for event in sealed] == list(range(len(sealed)))


async def test_a_killed_training_process_starts_again_where_the_swarm_is(start: Start) -> None:
    swarm = await start(max_rounds=1000, target_loss=0)
    await launch(swarm, batch_s=0.02)
    await reaches(swarm, 3)
    victim = swarm.sites[2]
    assert victim.training is not None
    victim.training.kill()
    victim.training.wait()
    at = swarm.sites[0].status()["round"]
    await reaches(swarm, at + 2)
    train(swarm, victim, batch_s=0.02)
    await swarm.wait(
        "the restarted training process to take part",
        lambda: victim.spiffe_id in swarm.reports(swarm.sites[0])[-1]["members"],
        60,
    )


@pytest.mark.parametrize(("lie", "reason"), [("nan", 4), ("shape", 3), ("name", 2)])
async def test_a_bad_update_is_left_out_by_all_and_the_run_goes_on(
    start: Start, lie: str, reason: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    swarm = await start(max_rounds=3)
    north, _, west = swarm.sites
    monkeypatch.setenv("DISHONEST", lie)
    west.start_agent([sys.executable, "-m", "tests.engine.dishonest_agent"])
    await launch(swarm)
    await finished(swarm)
    sealed = await seals(swarm)
    assert len(sealed) == 4
    rejected = [unpack_rejects(event.rejects) for event in sealed[1:]]
    assert ((west.party, reason),) in rejected
    paid = await accrued(swarm)
    assert paid["north"] > 0
    assert paid["west"] == 0
    assert "is left out" in (north.folder / "agent.log").read_text()


async def test_an_agent_that_was_away_at_the_end_still_gets_the_final_model(start: Start) -> None:
    swarm = await start(max_rounds=6)
    await launch(swarm, batch_s=0.02)
    await reaches(swarm, 2)
    victim = swarm.sites[0]
    kill(victim)
    others = swarm.sites[1:]
    await swarm.wait(
        "the others to finish",
        lambda: all(site.status().get("state") == "finished" for site in others),
        60,
    )
    victim.start_agent()
    await swarm.wait(
        "the training process to end",
        lambda: victim.training is not None and victim.training.poll() == 0,
        60,
    )
    assert "Final Swarm model was loaded" in (victim.folder / "training.log").read_text()


async def test_a_node_that_forgot_what_it_signed_sits_the_round_out(start: Start) -> None:
    swarm = await start(
        max_rounds=2, quorum_grace=20_000, leader_timeout=40_000, stall_time=600, target_loss=0
    )
    await launch_agents(swarm)
    forgetful, quick, slow = swarm.sites
    train(swarm, forgetful)
    train(swarm, quick)
    train(swarm, slow, batch_s=0.6)
    await swarm.wait(
        "a commit",
        lambda: forgetful.spiffe_id in quick.status().get("committed", ()),
        60,
    )
    kill(forgetful)
    for file in forgetful.folder.glob("journal.sqlite3*"):
        file.unlink()
    forgetful.start_agent()
    await swarm.wait(
        "it to sit out",
        lambda: "sits out round" in (forgetful.folder / "agent.log").read_text(),
        60,
    )
    await finished(swarm)
    assert len(await seals(swarm)) == 3


async def test_below_quorum_the_run_pauses_and_resumes_by_itself(start: Start) -> None:
    swarm = await start(max_rounds=8)
    await launch(swarm, batch_s=0.02)
    await reaches(swarm, 2)
    stopped = swarm.sites[1:]
    for site in stopped:
        kill(site)
    await swarm.wait(
        "the survivor to say what it waits for",
        lambda: "1 of 3 organizations" in (swarm.sites[0].folder / "training.log").read_text(),
        30,
    )
    for site in stopped:
        site.start_agent()
    await finished(swarm)
    assert len(await seals(swarm)) == 9
