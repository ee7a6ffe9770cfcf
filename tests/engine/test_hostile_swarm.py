"""One site of three lies, is silent, or is frozen: the other two go on, and are not robbed."""

from __future__ import annotations

import os
import signal
import sys

import pytest

from contracts.messages import unpack_rejects, unpack_shares
from tests.engine.swarms import Start, accrued, finished, launch, reaches, seals

pytestmark = pytest.mark.timeout(180)
DISHONEST = [sys.executable, "-m", "tests.engine.dishonest_agent"]


@pytest.mark.parametrize(("lie", "reason"), [("nan", 4), ("shape", 3), ("name", 2)])
async def test_a_bad_update_is_left_out_by_all_and_the_run_goes_on(
    start: Start, lie: str, reason: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    swarm = await start(max_rounds=3)
    north, _, west = swarm.sites
    monkeypatch.setenv("DISHONEST", lie)
    west.start_agent(DISHONEST)
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


async def test_an_absurd_update_costs_the_round_but_stops_nobody(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    swarm = await start(max_rounds=3)
    monkeypatch.setenv("DISHONEST", "huge")
    swarm.sites[2].start_agent(DISHONEST)
    await launch(swarm)
    await finished(swarm)
    assert len(await seals(swarm)) == 4
    assert not any((await accrued(swarm)).values())


async def test_a_withheld_file_is_left_to_itself(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    swarm = await start(max_rounds=3, leader_timeout=600, quorum_grace=300)
    monkeypatch.setenv("DISHONEST", "withhold")
    swarm.sites[2].start_agent(DISHONEST)
    await launch(swarm)
    await finished(swarm)
    sealed = await seals(swarm)
    assert len(sealed) == 4
    paid = await accrued(swarm)
    assert paid["north"] > 0
    assert paid["west"] == 0


@pytest.mark.parametrize("how", ["greedy", "garbled"])
async def test_a_leader_who_proposes_what_is_not_so_loses_his_term(
    start: Start, how: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    swarm = await start(max_rounds=1000, target_loss=0, leader_timeout=1000, quorum_grace=500)
    *honest, villain = swarm.sites
    monkeypatch.setenv("DISHONEST", how)
    villain.start_agent(DISHONEST)
    await launch(swarm)
    await swarm.wait(
        "a round that the villain could not lead",
        lambda: any(report["term"] for report in swarm.reports(honest[0])),
        60,
    )
    await reaches(swarm, swarm.reports(honest[0])[-1]["round"] + 2, honest)
    sealed = await seals(swarm)
    assert [event.round for event in sealed] == list(range(len(sealed)))
    assert all(((villain.party, 10_000),) != unpack_shares(event.shares) for event in sealed)


async def test_a_frozen_agent_holds_nobody_up_and_thaws_into_the_run(start: Start) -> None:
    """It accepts connections, since the kernel does, and never answers."""
    swarm = await start(max_rounds=1000, target_loss=0)
    await launch(swarm, batch_s=0.02)
    await reaches(swarm, 3)
    frozen, others = swarm.sites[0], swarm.sites[1:]
    assert frozen.agent is not None
    os.kill(frozen.agent.pid, signal.SIGSTOP)
    try:
        at = max(site.status()["round"] for site in others)
        await reaches(swarm, at + 4, others)
    finally:
        os.kill(frozen.agent.pid, signal.SIGCONT)
    await swarm.wait(
        "the frozen agent to take part again",
        lambda: frozen.spiffe_id in swarm.reports(others[0])[-1]["members"],
        60,
    )
