"""What three agents say their rounds cost, over real sockets, and after kill -9."""

from __future__ import annotations

import json
import sqlite3
from typing import Any

import pytest

from node_agent.errors import AgentStateError
from node_agent.parameters.format import ParameterFile
from scripts.local_swarm import LocalSwarm, Site
from tests.engine.swarms import Start, finished, kill, launch, reaches

pytestmark = pytest.mark.timeout(180)
BATCHES, SAMPLES = 8, 128  # of scripts.quadratic_trainer, between two rounds


def usage(site: Site) -> dict[int, dict[str, Any]]:
    """What the node wrote down, by round."""
    with sqlite3.connect(f"file:{site.folder}/usage.sqlite3?mode=ro", uri=True) as database:
        rows = database.execute("SELECT round, spent FROM rounds WHERE state='over'").fetchall()
    return {number: json.loads(text) for number, text in rows}


def update_bytes(swarm: LocalSwarm) -> dict[str, int]:
    """The size of each node's update in round 3; in the other rounds it is the same."""
    files = swarm.sites[0].folder.glob(f"exchange/*/round-000003/{'?' * 64}.safetensors")
    updates = {ParameterFile.open(path).metadata.get("node"): path.stat().st_size for path in files}
    return {site.spiffe_id: updates[site.spiffe_id] for site in swarm.sites}


async def test_every_node_counts_what_its_rounds_cost(start: Start) -> None:
    swarm = await start(max_rounds=5, target_loss=0)
    await launch(swarm, batch_s=0.02)
    await finished(swarm)
    spent = {site.organization: usage(site) for site in swarm.sites}
    for rounds in spent.values():
        assert sorted(rounds) == list(range(6))
        assert rounds[0]["evaluation_s"] > 0
        assert rounds[0]["samples"] == rounds[0]["bytes_fetched"] == 0
        for number in range(1, 6):
            assert rounds[number]["samples"] == BATCHES * SAMPLES
            # As the agent sees it: between two messages, each read when it gets to it.
            assert BATCHES * 0.02 / 2 < rounds[number]["training_s"] < 5
            assert rounds[number]["merge_s"] > 0
            # Of the last one, the others may have seen the seal before this one had evaluated.
            assert rounds[number]["evaluation_s"] > 0 or number == 5
            assert rounds[number]["restarts"] == 0
    sizes = update_bytes(swarm)
    for site in swarm.sites:
        rounds = spent[site.organization]
        needed = sum(
            sizes[member]
            for report in swarm.reports(site)
            for member in report["members"]
            if member != site.spiffe_id
        )
        # Of a source that is slow, another one is asked for the same file as well.
        assert needed <= sum(each["bytes_fetched"] for each in rounds.values()) < 1.5 * needed
    fetched = sum(each["bytes_fetched"] for rounds in spent.values() for each in rounds.values())
    served = sum(each["bytes_served"] for rounds in spent.values() for each in rounds.values())
    assert fetched <= served < 1.5 * fetched
    status = swarm.sites[0].status()["usage"]
    assert status["round"] == 5
    assert status["samples"] == BATCHES * SAMPLES
    assert status["waiting_reports"] == 6  # there is no marketplace to take them


async def test_a_killed_agent_reports_what_it_knows_and_says_so(start: Start) -> None:
    swarm = await start(max_rounds=1000, target_loss=0)
    await launch(swarm, batch_s=0.02)
    await reaches(swarm, 3)
    victim = swarm.sites[0]
    kill(victim)
    before = usage(victim)
    victim.start_agent()
    await swarm.wait(
        "a round after the restart",
        lambda: (_last(victim).get("round") or 0) > max(before) + 2 and _last(victim)["samples"],
        60,
    )
    after = usage(victim)
    assert {number: after[number] for number in before} == before
    restarts = [after[number]["restarts"] for number in sorted(after)]
    assert sum(restarts) == 1
    assert restarts.index(1) >= max(before)
    assert all(each["restarts"] == 0 for each in usage(swarm.sites[1]).values())


def _last(site: Site) -> dict[str, Any]:
    try:
        return dict(site.status().get("usage") or {})
    except AgentStateError:
        return {}
