"""A site that accepts no inbound connection is spoken to over connections that it opened."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from node_agent.errors import PeerError
from node_agent.peers.outbound import Outbound
from node_agent.peers.protocol import Reason
from tests.peers.swarm import Node, Swarm, envelope

TIMEOUT_S = 10.0
Star = tuple[Swarm, Node, Node, Node]


async def shut(swarm: Swarm, node: Node) -> asyncio.Task[None]:
    """Take away a node's address: it only lays lines from now on."""
    port = int(node.peer.url.rpartition(":")[2])
    node.peer = replace(node.peer, url="")
    swarm.members.enrolled[node.name] = node.peer
    outbound = Outbound(node.client, swarm.members.peers, node.name, port)
    task = asyncio.ensure_future(outbound.run())
    expected = [each.name for each in swarm.nodes if each.peer.url]
    async with asyncio.timeout(TIMEOUT_S):
        while outbound.connected != sorted(expected):  # noqa: ASYNC110  lines are laid without notice
            await asyncio.sleep(0.01)
    return task


@pytest.fixture
async def star(swarm: Swarm) -> AsyncIterator[Star]:
    """A hub, and two sites that only it can speak to."""
    hub, one, two = [await swarm.join(name) for name in ("hub", "one", "two")]
    tasks = [await shut(swarm, each) for each in (one, two)]
    yield swarm, hub, one, two
    for task in tasks:
        task.cancel()


async def test_messages_reach_it_from_a_reachable_peer(
    star: Star,
) -> None:
    _, hub, one, _ = star
    for number in range(12):
        await hub.client.send(one.peer, envelope(number), TIMEOUT_S)
    assert [each.registration for _, each in one.shelf.received] == list(range(12))
    assert {sender.spiffe_id for sender, _ in one.shelf.received} == {hub.name}


async def test_two_of_them_speak_through_a_third_who_is_not_the_sender(
    star: Star,
) -> None:
    _, hub, one, two = star
    await one.client.send(two.peer, envelope(1), TIMEOUT_S)
    await two.client.send(one.peer, envelope(2), TIMEOUT_S)
    assert [sender.spiffe_id for sender, _ in two.shelf.received] == [one.name]
    assert [sender.spiffe_id for sender, _ in one.shelf.received] == [two.name]
    assert hub.shelf.received == []


async def test_files_come_whole_through_a_third(star: Star, tmp_path: Path) -> None:
    _, hub, one, two = star
    content = bytes(range(256)) * (20 << 10)
    root = one.shelf.offer(tmp_path / "update", content)
    fetched = tmp_path / "fetched"
    await asyncio.gather(
        two.client.fetch(one.peer, root, fetched, len(content), TIMEOUT_S),
        hub.client.fetch(one.peer, root, tmp_path / "at-hub", len(content), TIMEOUT_S),
    )
    assert fetched.read_bytes() == content
    assert hub.traffic.served_bytes == 0


async def test_many_at_once_find_a_line_each(star: Star) -> None:
    _, hub, one, two = star
    await asyncio.gather(
        *(hub.client.status(one.peer, TIMEOUT_S) for _ in range(8)),
        *(two.client.status(one.peer, TIMEOUT_S) for _ in range(8)),
    )


async def test_when_it_is_gone_that_is_known_at_once(star: Star) -> None:
    swarm, hub, one, two = star
    await hub.client.status(one.peer, TIMEOUT_S)
    await one.client.close()
    await one.server.stop()
    swarm.nodes.remove(one)
    for who in (hub, two):
        with pytest.raises(PeerError) as raised:
            await who.client.status(one.peer, TIMEOUT_S)
        assert raised.value.reason == Reason.UNREACHABLE


async def test_a_peer_that_does_not_answer_at_its_address_is_found_by_its_line(
    swarm: Swarm,
) -> None:
    hub, one, two = [await swarm.join(name) for name in ("hub", "one", "two")]
    tasks = [await shut(swarm, each) for each in (one, two)]
    nowhere = replace(one.peer, url="https://127.0.0.1:1")
    swarm.members.enrolled[one.name] = nowhere
    two.client.detours = True
    assert (await two.client.status(nowhere, TIMEOUT_S))["node"] == one.name
    assert (await hub.client.status(nowhere, TIMEOUT_S))["node"] == one.name
    for task in tasks:
        task.cancel()


async def test_a_stranger_gets_no_line(star: Star) -> None:
    swarm, _, one, _ = star
    stranger = await swarm.join("stranger", enrolled=False)
    with pytest.raises(PeerError) as raised:
        await stranger.client.status(one.peer, TIMEOUT_S)
    assert raised.value.reason in (Reason.UNREACHABLE, Reason.IDENTITY)
