"""Parameter files on their way: whole and right, or not there at all."""

from __future__ import annotations

import asyncio
import random
from pathlib import Path

import pytest
from aiohttp import web
from blake3 import blake3

from node_agent.errors import PeerError
from node_agent.peers import server as server_module
from node_agent.peers import sessions
from node_agent.peers.answers import save
from node_agent.peers.protocol import Peer, Reason
from tests.peers.liar import Answer, Liar
from tests.peers.swarm import Node, Swarm

pytestmark = pytest.mark.asyncio

CONTENT = random.Random(1).randbytes(3_000_001)
ROOT = blake3(CONTENT).hexdigest()


@pytest.fixture
def there(tmp_path: Path) -> Path:
    folder = tmp_path / "theirs"
    folder.mkdir()
    return folder


@pytest.fixture
def here(tmp_path: Path) -> Path:
    folder = tmp_path / "ours"
    folder.mkdir()
    return folder


def names_in(folder: Path) -> list[str]:
    return [each.name for each in folder.iterdir()]


async def failing(node: Node, peer: Peer, here: Path, size: int = len(CONTENT)) -> PeerError:
    with pytest.raises(PeerError) as caught:
        await node.client.fetch(peer, ROOT, here / "model", size, 5)
    assert names_in(here) == []
    return caught.value


async def test_a_file_arrives_as_it_is(swarm: Swarm, there: Path, here: Path) -> None:
    alpha, beta = await swarm.join("alpha"), await swarm.join("beta")
    root = beta.shelf.offer(there / "model", CONTENT)
    await alpha.client.fetch(beta.peer, root, here / "model", len(CONTENT), 5)
    assert (here / "model").read_bytes() == CONTENT
    assert names_in(here) == ["model"]


async def test_an_empty_file_arrives(swarm: Swarm, there: Path, here: Path) -> None:
    alpha, beta = await swarm.join("alpha"), await swarm.join("beta")
    root = beta.shelf.offer(there / "model", b"")
    await alpha.client.fetch(beta.peer, root, here / "model", 0, 5)
    assert (here / "model").read_bytes() == b""


async def test_a_large_file_and_messages_pass_each_other(
    swarm: Swarm, there: Path, here: Path
) -> None:
    alpha, beta = await swarm.join("alpha"), await swarm.join("beta")
    content = random.Random(2).randbytes(1 << 20) * 48
    root = beta.shelf.offer(there / "model", content)
    fetching = asyncio.create_task(
        alpha.client.fetch(beta.peer, root, here / "model", len(content), 60)
    )
    answered = 0
    while not fetching.done():
        await alpha.client.status(beta.peer, 2)
        answered += 1
    await fetching
    assert (here / "model").stat().st_size == len(content)
    assert answered > 3


async def test_several_files_arrive_at_once(swarm: Swarm, there: Path, here: Path) -> None:
    alpha, beta = await swarm.join("alpha"), await swarm.join("beta")
    contents = [random.Random(each).randbytes(200_000 + each) for each in range(8)]
    roots = [beta.shelf.offer(there / str(i), each) for i, each in enumerate(contents)]
    await asyncio.gather(
        *(
            alpha.client.fetch(beta.peer, root, here / root, len(content), 10)
            for root, content in zip(roots, contents, strict=True)
        )
    )
    assert [(here / root).read_bytes() for root in roots] == contents


async def test_a_file_that_may_not_be_read_yet_is_not_found(swarm: Swarm, here: Path) -> None:
    alpha, beta = await swarm.join("alpha"), await swarm.join("beta")
    assert (await failing(alpha, beta.peer, here)).reason == Reason.NOT_FOUND


async def test_a_file_that_was_removed_is_not_found(swarm: Swarm, there: Path, here: Path) -> None:
    alpha, beta = await swarm.join("alpha"), await swarm.join("beta")
    beta.shelf.offer(there / "model", CONTENT)
    (there / "model").unlink()
    assert (await failing(alpha, beta.peer, here)).reason == Reason.NOT_FOUND


async def test_an_altered_file_is_refused(swarm: Swarm, there: Path, here: Path) -> None:
    alpha, beta = await swarm.join("alpha"), await swarm.join("beta")
    beta.shelf.offer(there / "model", CONTENT)
    (there / "model").write_bytes(CONTENT[:-1] + b"!")
    error = await failing(alpha, beta.peer, here)
    assert error.reason == Reason.HASH
    assert ROOT in str(error)


@pytest.mark.parametrize("size", [len(CONTENT) - 1, len(CONTENT) + 1])
async def test_a_file_of_another_size_is_refused_before_a_byte_is_written(
    swarm: Swarm, there: Path, here: Path, size: int
) -> None:
    alpha, beta = await swarm.join("alpha"), await swarm.join("beta")
    beta.shelf.offer(there / "model", CONTENT)
    error = await failing(alpha, beta.peer, here, size)
    assert error.reason == Reason.SIZE
    assert f"offers {len(CONTENT)} bytes" in str(error)


async def test_what_is_there_already_survives_a_failure(
    swarm: Swarm, there: Path, here: Path
) -> None:
    alpha, beta = await swarm.join("alpha"), await swarm.join("beta")
    beta.shelf.offer(there / "model", CONTENT)
    (there / "model").write_bytes(CONTENT[:-1] + b"!")
    (here / "model").write_bytes(b"before")
    with pytest.raises(PeerError):
        await alpha.client.fetch(beta.peer, ROOT, here / "model", len(CONTENT), 5)
    assert (here / "model").read_bytes() == b"before"


async def test_a_cancelled_fetch_leaves_nothing(swarm: Swarm, there: Path, here: Path) -> None:
    alpha, beta = await swarm.join("alpha"), await swarm.join("beta")
    content = random.Random(3).randbytes(1 << 20) * 32
    root = beta.shelf.offer(there / "model", content)
    fetching = asyncio.create_task(
        alpha.client.fetch(beta.peer, root, here / "model", len(content), 60)
    )
    while not names_in(here):  # noqa: ASYNC110 - until the first byte is being written
        await asyncio.sleep(0)
    fetching.cancel()
    with pytest.raises(asyncio.CancelledError):
        await fetching
    assert names_in(here) == []


async def test_a_reader_that_stalls_is_cut_off(
    swarm: Swarm, there: Path, here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server_module, "STALL_TIMEOUT_S", 0.3)
    alpha, beta = await swarm.join("alpha"), await swarm.join("beta")
    content = random.Random(4).randbytes(1 << 20) * 32
    root = beta.shelf.offer(there / "model", content)

    async def read_after_a_while() -> None:
        async with alpha.client._ask("GET", beta.peer, f"/v1/files/{root}", 10) as exchange:
            await asyncio.sleep(1)  # meanwhile buffers fill, the sender waits and gives up
            await save(exchange, here / "model", len(content))

    with pytest.raises(PeerError, match="broke before the whole answer"):
        await read_after_a_while()


class TestLies:
    """Peers whose software is not ours."""

    async def test_a_file_without_a_size_is_refused(self, swarm: Swarm, here: Path) -> None:
        async def answer(request: web.BaseRequest, response: web.StreamResponse) -> None:
            response.enable_chunked_encoding()
            await response.prepare(request)
            await response.write(CONTENT)

        error = await self.told(swarm, here, answer)
        assert error.reason == Reason.SIZE
        assert "offers None bytes" in str(error)

    async def test_a_truncated_file_is_refused(self, swarm: Swarm, here: Path) -> None:
        async def answer(request: web.BaseRequest, response: web.StreamResponse) -> None:
            response.content_length = len(CONTENT)
            await response.prepare(request)
            await response.write(CONTENT[:-500_000])
            assert request.transport is not None
            request.transport.close()

        error = await self.told(swarm, here, answer)
        assert error.reason == Reason.UNREACHABLE
        assert "broke before the whole answer" in str(error)

    async def test_a_longer_file_than_announced_is_refused(self, swarm: Swarm, here: Path) -> None:
        async def answer(request: web.BaseRequest, response: web.StreamResponse) -> None:
            response.content_length = len(CONTENT)
            await response.prepare(request)
            assert request.transport is not None
            request.transport.write(b"!" + CONTENT)

        error = await self.told(swarm, here, answer)
        assert error.reason == Reason.HASH

    async def test_a_slow_file_is_given_up_with_what_had_come(
        self, swarm: Swarm, here: Path
    ) -> None:
        async def answer(request: web.BaseRequest, response: web.StreamResponse) -> None:
            response.content_length = len(CONTENT)
            await response.prepare(request)
            await response.write(CONTENT[:1000])
            await asyncio.sleep(30)

        error = await self.told(swarm, here, answer, timeout_s=0.5)
        assert error.reason == Reason.TIMEOUT
        assert "(1000 of 3000001 bytes had come)" in str(error)

    async def test_a_silent_peer_is_given_up(
        self, swarm: Swarm, here: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(sessions, "STALL_TIMEOUT_S", 0.3)

        async def answer(request: web.BaseRequest, response: web.StreamResponse) -> None:
            await asyncio.sleep(30)

        error = await self.told(swarm, here, answer)
        assert error.reason == Reason.TIMEOUT
        assert "sent nothing for 0.3 s" in str(error)

    async def test_files_that_hang_do_not_hold_up_messages(self, swarm: Swarm, here: Path) -> None:
        async def answer(request: web.BaseRequest, response: web.StreamResponse) -> None:
            if request.path.startswith("/v1/files"):
                response.content_length = len(CONTENT)
                await response.prepare(request)
                await asyncio.sleep(30)
            await response.prepare(request)
            await response.write(b"{}")

        alpha, beta = await swarm.join("alpha"), await swarm.join("beta")
        liar = Liar(beta)
        peer = await liar(answer)
        fetches = [
            asyncio.create_task(alpha.client.fetch(peer, ROOT, here / str(i), len(CONTENT), 30))
            for i in range(8)
        ]
        while len(names_in(here)) < 2:  # noqa: ASYNC110 - until they hang
            await asyncio.sleep(0.01)
        assert await alpha.client.status(peer, 2) == {}
        for each in fetches:
            each.cancel()
        await asyncio.wait(fetches)
        await liar.stop()
        assert names_in(here) == []

    async def test_a_redirect_is_not_followed(self, swarm: Swarm, here: Path) -> None:
        async def answer(request: web.BaseRequest, response: web.StreamResponse) -> None:
            response.set_status(302)
            response.headers["Location"] = "https://127.0.0.1:1/"
            response.content_length = 0
            await response.prepare(request)

        error = await self.told(swarm, here, answer)
        assert error.reason == Reason.PROTOCOL

    async def told(
        self,
        swarm: Swarm,
        here: Path,
        answer: Answer,
        timeout_s: float = 5,
    ) -> PeerError:
        alpha, beta = await swarm.join("alpha"), await swarm.join("beta")
        liar = Liar(beta)
        peer = await liar(answer)
        try:
            with pytest.raises(PeerError) as caught:
                await alpha.client.fetch(peer, ROOT, here / "model", len(CONTENT), timeout_s)
        finally:
            await liar.stop()
        assert names_in(here) == []
        return caught.value
