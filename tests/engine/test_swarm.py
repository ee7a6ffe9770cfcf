"""Three agents as processes, a real chain between them: what happens when things go wrong."""

from __future__ import annotations

import pytest

from tests.engine.swarms import (
    Start,
    accrued,
    finished,
    kill,
    launch,
    launch_agents,
    reaches,
    seals,
    train,
)

pytestmark = pytest.mark.timeout(180)


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
    train(swarm, slow, batch_s=0.3)
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
