"""Two organizations, several nodes of one, newcomers, stalled rounds, and a chain that is away."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from urllib.parse import urlsplit

import pytest

from contracts.events import Reopened, logs
from contracts.messages import Attestation, sign, unpack_shares
from scripts.local_swarm import LocalSwarm
from tests.engine.swarms import Start, finished, launch, launch_agents, reaches, seals, train

pytestmark = pytest.mark.timeout(180)


async def test_two_organizations_are_enough_and_split_equally(start: Start) -> None:
    swarm = await start(organizations=("north", "south"), max_rounds=3)
    await launch(swarm)
    await finished(swarm)
    rows = [unpack_shares(event.shares) for event in await seals(swarm)]
    assert rows == [()] + [((0, 5000), (1, 5000))] * 3


async def test_nodes_of_one_organization_share_its_vote_and_all_wait_for_the_last(
    start: Start,
) -> None:
    swarm = await start(
        organizations=("north", "north", "south", "west"), min_peers=3, max_rounds=3
    )
    await launch_agents(swarm)
    *early, late = swarm.sites
    for site in early:
        train(swarm, site)
    await asyncio.sleep(1.5)  # long enough for a round, were it not for the last
    assert await seals(swarm) == []
    train(swarm, late)
    await finished(swarm)
    sealed = await seals(swarm)
    assert len(sealed) == 4
    assert {party for party, _ in unpack_shares(sealed[-1].shares)} <= {0, 1, 2}
    everyone = {site.spiffe_id for site in swarm.sites}
    assert any(set(report["members"]) == everyone for report in swarm.reports(late))


async def test_a_node_that_is_enrolled_during_a_run_takes_part_from_the_next_snapshot(
    start: Start,
) -> None:
    swarm = await start(late=("west",), max_rounds=1000, target_loss=0)
    *old, new = swarm.sites
    for site in old:
        site.start_agent()
        train(swarm, site, batch_s=0.02)
    new.start_agent()
    train(swarm, new, batch_s=0.02)
    await reaches(swarm, 3, old)
    await swarm.enroll(new)
    await swarm.wait(
        "the new node to take part",
        lambda: new.spiffe_id in swarm.reports(old[0])[-1]["members"],
        60,
    )
    await reaches(swarm, swarm.reports(old[0])[-1]["round"] + 1)


async def test_a_stalled_round_is_reopened_and_goes_on_with_all(start: Start) -> None:
    swarm = await start(
        min_peers=3, max_rounds=2, stall_time=2, leader_timeout=900, quorum_grace=300
    )
    *early, late = swarm.sites
    for site in early:
        site.start_agent()
        train(swarm, site)

    async def reopened() -> list[Reopened]:
        block = await swarm.chain.block_number()
        events = await logs(swarm.chain, swarm.contracts.deployment, 0, block)
        return [event for event in events if isinstance(event, Reopened)]

    async with asyncio.timeout(30):
        while not await reopened():  # noqa: ASYNC110  other processes' doings come without notice
            await asyncio.sleep(0.2)
    late.start_agent()
    train(swarm, late)
    await finished(swarm)
    assert len(await seals(swarm)) == 3


class Line:
    """The wire between the agents and the chain; it can be cut."""

    def __init__(self, host: str, port: int) -> None:
        self._host, self._port = host, port
        self._server: asyncio.Server | None = None
        self._open: set[asyncio.StreamWriter] = set()
        self.port = 0

    async def connect(self) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    def cut(self) -> None:
        if self._server:
            self._server.close()
        for writer in self._open:
            writer.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, away = await asyncio.open_connection(self._host, self._port)
        self._open |= {writer, away}
        await asyncio.gather(self._pass(reader, away), self._pass(there, writer))
        self._open -= {writer, away}

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError):
            while data := await reader.read(1 << 16):
                writer.write(data)
                await writer.drain()
        writer.close()


@contextlib.asynccontextmanager
async def line_to_the_chain(swarm: LocalSwarm) -> AsyncIterator[Line]:
    url = urlsplit(swarm.chain.rpc_url)
    line = Line(url.hostname or "", url.port or 0)
    await line.connect()
    for site in swarm.sites:
        path = site.folder / "agent.toml"
        text = path.read_text().replace(swarm.chain.rpc_url, f"http://127.0.0.1:{line.port}")
        path.write_text(text)
    try:
        yield line
    finally:
        line.cut()


async def test_without_the_chain_training_goes_on_and_what_is_recorded_then_wins(
    start: Start,
) -> None:
    swarm = await start(max_rounds=1000, target_loss=0)
    async with line_to_the_chain(swarm) as line:
        await launch(swarm, batch_s=0.02)
        await reaches(swarm, 2)
        line.cut()
        await swarm.wait(
            "everyone to have merged, and nobody to have sealed",
            lambda: all(site.status().get("state") == "sealing" for site in swarm.sites),
            30,
        )
        (number,) = {site.status()["round"] for site in swarm.sites}
        for site in swarm.sites:
            assert f"round {number + 1}: loss" in (site.folder / "training.log").read_text()
        # A failover race, made by hand: another result is recorded for this round.
        training = swarm.contracts.training
        run = await training.run(swarm.run_id)
        assert run.round == number
        other = Attestation(
            swarm.run_id, number, run.prev, 9, bytes([9]) * 32, run.merged_root,
            run.last_loss, run.last_loss, run.last_metric, b"", b"",
        )  # fmt: skip
        domain = swarm.contracts.domains.training
        signatures = {k: sign(domain, other, swarm.sites[k].key) for k in (0, 1)}
        await training.seal(other, signatures, signer=swarm.embedded.deployer)
        await line.connect()
        await reaches(swarm, number + 3)
    sealed = {event.round: event for event in await seals(swarm)}
    assert sealed[number].merged_root == run.merged_root
    believed = {r["merged_root"] for s in swarm.sites for r in swarm.reports(s)}
    assert run.merged_root.hex() in believed
    # What was trained from the merge that was not recorded is nowhere in what follows.
    assert abs(sealed[number + 1].loss_before - run.last_loss) < run.last_loss / 1000
    assert sealed[number + 1].loss_after > run.last_loss / 4
