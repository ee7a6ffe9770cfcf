"""What is counted of the traffic between nodes: files, byte by byte, on both sides."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from blake3 import blake3

from node_agent.errors import PeerError
from node_agent.peers.protocol import Reason
from tests.peers.swarm import Swarm, envelope

pytestmark = pytest.mark.asyncio

CONTENT = random.Random(3).randbytes(1_500_003)


async def test_a_file_counts_as_served_here_and_fetched_there(swarm: Swarm, tmp_path: Path) -> None:
    alpha, beta = await swarm.join("alpha"), await swarm.join("beta")
    root = beta.shelf.offer(tmp_path / "theirs", CONTENT)
    for name in ("first", "again"):
        await alpha.client.fetch(beta.peer, root, tmp_path / name, len(CONTENT), 5)
    assert beta.traffic.served_bytes == alpha.traffic.fetched_bytes == 2 * len(CONTENT)
    assert beta.traffic.fetched_bytes == alpha.traffic.served_bytes == 0


async def test_messages_are_no_files(swarm: Swarm) -> None:
    alpha, beta = await swarm.join("alpha"), await swarm.join("beta")
    await alpha.client.send(beta.peer, envelope(), 5)
    await alpha.client.held(beta.peer, "0x01", "0x02", 5)
    await alpha.client.status(beta.peer, 5)
    assert alpha.traffic.sent_bytes > 0
    for node in (alpha, beta):
        assert (node.traffic.served_bytes, node.traffic.fetched_bytes) == (0, 0)


async def test_a_file_that_is_the_wrong_one_has_cost_its_bytes_all_the_same(
    swarm: Swarm, tmp_path: Path
) -> None:
    alpha, beta = await swarm.join("alpha"), await swarm.join("beta")
    beta.shelf.offer(tmp_path / "theirs", CONTENT)
    wanted = blake3(b"another").hexdigest()
    beta.shelf.files[wanted] = tmp_path / "theirs"
    with pytest.raises(PeerError) as caught:
        await alpha.client.fetch(beta.peer, wanted, tmp_path / "ours", len(CONTENT), 5)
    assert caught.value.reason == Reason.HASH
    assert beta.traffic.served_bytes == alpha.traffic.fetched_bytes == len(CONTENT)


async def test_a_file_that_is_not_there_costs_nothing(swarm: Swarm, tmp_path: Path) -> None:
    alpha, beta = await swarm.join("alpha"), await swarm.join("beta")
    with pytest.raises(PeerError):
        await alpha.client.fetch(beta.peer, "ab" * 32, tmp_path / "ours", 1, 5)
    assert beta.traffic.served_bytes == alpha.traffic.fetched_bytes == 0
