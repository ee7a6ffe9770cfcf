"""What tests do with a swarm of processes: start, kill, wait, and read what came of it."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Awaitable, Callable

from contracts.events import Sealed, logs
from scripts.local_swarm import LocalSwarm, Site

# No mean of them is 0, not even of those who are left: else the loss gets there, and the run ends.
OFFSETS = {"north": -0.09, "south": 0.0, "west": 0.1, "east": 0.05}
TRAINER = [sys.executable, "-m", "scripts.quadratic_trainer"]

Start = Callable[..., Awaitable[LocalSwarm]]


def train(swarm: LocalSwarm, site: Site, batch_s: float = 0.0, *more: str) -> None:
    options = ["--offset", str(OFFSETS[site.organization]), "--batch-s", str(batch_s)]
    options += ["--min-peers", str(swarm.terms.min_peers)]
    site.start_training([*TRAINER, *options, *more], {"INITIAL": str(swarm.initial)})


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
