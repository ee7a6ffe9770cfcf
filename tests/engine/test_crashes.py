"""kill -9 at every step: the run goes on, and nobody ever signs two different things."""

from __future__ import annotations

import json
import sys
from collections import defaultdict
from typing import Any

import pytest

from scripts.local_swarm import LocalSwarm
from tests.engine.fragile_agent import FIRST_ROUND, STEPS
from tests.engine.swarms import Start, launch, reaches, seals

pytestmark = [pytest.mark.timeout(180), pytest.mark.slow]
FRAGILE = [sys.executable, "-m", "tests.engine.fragile_agent"]


def signed(swarm: LocalSwarm) -> dict[tuple[object, ...], set[str]]:
    """What every node signed, as all have heard it: (signer, kind, prev, term) to messages."""
    found: dict[tuple[object, ...], set[str]] = defaultdict(set)

    def note(envelope: dict[str, Any]) -> None:
        message = envelope["message"]
        for part in ("updates", "holdings", "earlier"):
            for nested in message.get(part, ()):
                note(nested)
        if envelope["kind"] != "ready":
            body = message.get("roster", message)
            key = (envelope["registration"], envelope["kind"], body["prev"], body.get("term"))
            found[key].add(json.dumps(body, sort_keys=True))

    for site in swarm.sites:
        for line in (site.folder / "witness.jsonl").open():
            note(json.loads(line))
    return found


async def test_killed_at_every_step_a_node_goes_on_and_contradicts_nothing(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    swarm = await start(max_rounds=1000, target_loss=0)
    victim, others = swarm.sites[0], swarm.sites[1:]
    for site in others:
        site.start_agent(FRAGILE)
    monkeypatch.setenv("KILL_AT", STEPS[0])
    victim.start_agent(FRAGILE)
    await launch(swarm, batch_s=0.01)
    await reaches(swarm, FIRST_ROUND, others)
    for following in (*STEPS[1:], ""):
        agent = victim.agent
        assert agent is not None
        await swarm.wait("the agent to kill itself", lambda a=agent: a.poll() == -9, 60)
        monkeypatch.setenv("KILL_AT", following)
        victim.start_agent(FRAGILE)
    await swarm.wait(
        "the victim to take part again",
        lambda: victim.spiffe_id in swarm.reports(others[0])[-1]["members"],
        60,
    )
    at = max(number or 0 for number in swarm.rounds())
    await reaches(swarm, at + 2)
    sealed = await seals(swarm)
    assert [event.round for event in sealed] == list(range(len(sealed)))
    words = signed(swarm)
    assert {key[1] for key in words} >= {"update", "roster", "attestation"}
    assert {key for key, messages in words.items() if len(messages) > 1} == set()
