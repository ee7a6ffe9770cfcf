"""Metering `local` for real: own data, own rows, late ones too, and every wei as predicted."""

from __future__ import annotations

import asyncio
import sys

import pytest

from contracts.events import Event, RowCounted, Sealed, logs
from contracts.messages import unpack_shares
from contracts.training import State
from metering.local_pool import LocalPool, Report, local_initial_loss_e9
from node_agent.engine.context import METERING_LOCAL, NO_DATA_E9
from scripts.local_swarm import POOL_WEI, LocalSwarm
from tests.engine.swarms import Start, accrued, kill, launch_agents, reaches, train

pytestmark = pytest.mark.timeout(180)
FOUR = ("north", "south", "west", "east")


async def events(swarm: LocalSwarm) -> list[Event]:
    block = await swarm.chain.block_number()
    return list(await logs(swarm.chain, swarm.contracts.deployment, 0, block))


def train_with_a_slow_measurer(swarm: LocalSwarm) -> None:
    """East's rows come late; it trains the faster, so that it is in every roster all the same."""
    *others, east = swarm.sites
    for site in others:
        train(swarm, site, 0.15)
    train(swarm, east, 0.05, "--evaluate-s", "0.8")


async def settled(swarm: LocalSwarm) -> None:
    async with asyncio.timeout(60):
        training = swarm.contracts.training
        while (await training.run(swarm.run_id)).state != State.FINISHED:  # noqa: ASYNC110  others' deed
            await asyncio.sleep(0.2)


def twin(swarm: LocalSwarm, happened: list[Event]) -> tuple[LocalPool, dict[int, set[int]]]:
    """What the pool comes to by the rows on chain; and whose rows those were, by round."""
    rows = [event for event in happened if isinstance(event, RowCounted)]
    losses = [e.loss_after for e in rows if e.round == 0 and e.loss_after != NO_DATA_E9]
    start_e9 = local_initial_loss_e9(losses, swarm.terms.loss_ceiling)
    pool = LocalPool(POOL_WEI, start_e9, swarm.terms.target_loss)
    heard: dict[int, set[int]] = {}
    last = max(event.round for event in happened if isinstance(event, Sealed))
    for number in range(1, last + 1):
        of_round = [event for event in rows if event.round == number]
        pool.seal([party for party, _ in unpack_shares(of_round[0].shares)])
        heard[number] = {event.party for event in of_round}
        for event in of_round:
            report = Report(event.loss_before, event.loss_after, unpack_shares(event.shares))
            pool.report(event.party, report)
    pool.settle()
    return pool, heard


async def test_each_measures_on_its_own_data_and_is_paid_to_the_wei(start: Start) -> None:
    swarm = await start(organizations=FOUR, metering=METERING_LOCAL, max_rounds=4, min_peers=3)
    await launch_agents(swarm)
    north, south, west, east = swarm.sites
    train(swarm, north, 0, "--held-out", "0.02")
    # By what south judges others, the optimum is -1: they all make it worse.
    train(swarm, south, 0, "--held-out", "-0.01", "--opinion", "-2")
    train(swarm, west, 0)
    train(swarm, east, 0, "--no-data")
    await settled(swarm)
    happened = await events(swarm)
    pool, heard = twin(swarm, happened)
    assert all(heard[number] == {0, 1, 2, 3} for number in range(1, 5))
    paid = await accrued(swarm)
    assert {site.organization: pool.credited_wei[site.party] for site in swarm.sites} == paid
    assert 0 < sum(paid.values()) <= POOL_WEI
    # West's steps are the longest, and north's data say so; but nobody's own.
    assert paid["west"] > paid["south"] > paid["north"]
    rows = [event for event in happened if isinstance(event, RowCounted) and event.round]
    assert all(dict(unpack_shares(row.shares))[row.party] == 0 for row in rows)
    assert all(not any(bips for _, bips in unpack_shares(r.shares)) for r in rows if r.party == 3)
    of_south = [row for row in rows if row.party == 1]
    assert not any(bips for row in of_south for _, bips in unpack_shares(row.shares))
    # What it attests, and is paid by, is measured on held-out data all the same.
    assert of_south[0].loss_before == pytest.approx(0.5 * 0.99**2 * 1e9, rel=1e-6)
    assert all(row.loss_after < row.loss_before for row in of_south)


@pytest.mark.slow
async def test_a_row_that_comes_late_is_brought_by_the_next_seal(start: Start) -> None:
    swarm = await start(
        organizations=FOUR, metering=METERING_LOCAL, max_rounds=1000, target_loss=0, min_peers=3,
        quorum_grace=300, leader_timeout=4000,
    )  # fmt: skip
    await launch_agents(swarm)
    train_with_a_slow_measurer(swarm)
    await reaches(swarm, 4)
    happened = await events(swarm)
    rows = [event for event in happened if isinstance(event, RowCounted)]
    sealed = {event.round: event for event in happened if isinstance(event, Sealed)}
    late = [row for row in rows if row.transaction != sealed[row.round].transaction]
    assert {row.party for row in late} == {3}
    nexts = {sealed[row.round + 1].transaction for row in late}
    assert {row.transaction for row in late} == nexts


async def test_with_three_organizations_all_are_paid_equally(start: Start) -> None:
    swarm = await start(metering=METERING_LOCAL, max_rounds=2)
    await launch_agents(swarm)
    for site in swarm.sites:
        train(swarm, site)
    await settled(swarm)
    pool, _ = twin(swarm, await events(swarm))
    paid = await accrued(swarm)
    assert len(set(paid.values())) == 1
    assert pool.credited_wei == {site.party: paid[site.organization] for site in swarm.sites}


@pytest.mark.slow
async def test_an_organization_speaks_through_its_first_node_that_lives(start: Start) -> None:
    swarm = await start(
        organizations=("north", "north", "south", "west", "east"), metering=METERING_LOCAL,
        max_rounds=1000, target_loss=0, min_peers=4,
    )  # fmt: skip
    await launch_agents(swarm)
    for site in swarm.sites:
        train(swarm, site, 0.02)
    await reaches(swarm, 3)
    first = swarm.sites[0]
    kill(first)
    others = swarm.sites[1:]
    at = max(site.status()["round"] for site in others)
    await reaches(swarm, at + 3, others)
    rows = [e for e in await events(swarm) if isinstance(e, RowCounted) and e.party == 0]
    assert {row.registration for row in rows if row.round < 3} == {0}
    assert {row.registration for row in rows if row.round > at} == {1}


@pytest.mark.slow
async def test_whose_row_is_left_out_by_others_adds_it_from_then_on(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    swarm = await start(
        organizations=FOUR, metering=METERING_LOCAL, max_rounds=1000, target_loss=0, min_peers=3,
        quorum_grace=300, leader_timeout=4000,
    )  # fmt: skip
    *hushed, east = swarm.sites
    monkeypatch.setenv("DISHONEST", "hush")
    for site in hushed:
        site.start_agent([sys.executable, "-m", "tests.engine.dishonest_agent"])
    await launch_agents(swarm)
    train_with_a_slow_measurer(swarm)
    await swarm.wait(
        "it to notice", lambda: "was left out" in (east.folder / "agent.log").read_text(), 60
    )
    async with asyncio.timeout(60):
        while not await added_by_itself(swarm, east.party):  # noqa: ASYNC110  others' deed
            await asyncio.sleep(0.5)


async def added_by_itself(swarm: LocalSwarm, party: int) -> bool:
    """Is there a row of this organization that came with no seal?"""
    happened = await events(swarm)
    sealing = {event.transaction for event in happened if isinstance(event, Sealed)}
    rows = [event for event in happened if isinstance(event, RowCounted)]
    return any(row.party == party and row.transaction not in sealing for row in rows)
