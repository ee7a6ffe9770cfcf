"""Signed messages between nodes, and what is refused before the engine sees it."""

from __future__ import annotations

import asyncio
import json
import socket
import time
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from node_agent.errors import MessageRefused, PeerError
from node_agent.identity.tls import client_context
from node_agent.peers import client as client_module
from node_agent.peers.protocol import MESSAGE_LIMIT_BYTES, Envelope, Reason, encode
from tests.peers.liar import Liar
from tests.peers.swarm import Node, Swarm, envelope

pytestmark = pytest.mark.asyncio


async def post(sender: Node, receiver: Node, body: bytes) -> tuple[int, dict[str, Any]]:
    """Says something by hand that the client would never say."""
    svid = sender.source.current()
    headers = dict(sender.client._bindings.headers(svid.leaf))
    async with (
        aiohttp.ClientSession() as session,
        session.post(
            f"{receiver.peer.url}/v1/messages",
            data=body,
            headers=headers,
            ssl=client_context(svid, receiver.name),
        ) as answer,
    ):
        assert answer.content_type in ("application/problem+json", "application/octet-stream")
        return answer.status, json.loads(await answer.read() or b"{}")


async def test_messages_of_others_may_be_relayed(swarm: Swarm) -> None:
    alpha, beta = await swarm.join("alpha"), await swarm.join("beta")
    await alpha.client.send(beta.peer, envelope(registration=7), 5)
    [(sender, message)] = beta.shelf.received
    assert (sender.registration, message.registration) == (0, 7)


async def test_a_repeated_message_reaches_the_engine_again(swarm: Swarm) -> None:
    alpha, beta = await swarm.join("alpha"), await swarm.join("beta")
    for _ in range(2):
        await alpha.client.send(beta.peer, envelope(), 5)
    assert len(beta.shelf.received) == 2


async def test_the_engines_refusal_comes_back_with_its_reason(swarm: Swarm) -> None:
    alpha, beta = await swarm.join("alpha"), await swarm.join("beta")
    beta.shelf.refuse = "this round is over"
    with pytest.raises(PeerError, match="this round is over") as caught:
        await alpha.client.send(beta.peer, envelope(), 5)
    assert caught.value.reason == Reason.REFUSED


async def test_a_node_tells_all_messages_that_it_holds_of_a_round(swarm: Swarm) -> None:
    alpha, beta = await swarm.join("alpha"), await swarm.join("beta")
    sent = [envelope(registration=each, number=each) for each in range(3)]
    for each in sent:
        await alpha.client.send(beta.peer, each, 5)
    await alpha.client.send(beta.peer, envelope(prev="0x03"), 5)
    assert await alpha.client.held(beta.peer, "0x01", "0x02", 5) == sent
    assert await alpha.client.held(beta.peer, "0x01", "0x04", 5) == []


async def test_status_is_the_sign_of_life(swarm: Swarm) -> None:
    alpha, beta = await swarm.join("alpha"), await swarm.join("beta")
    status = await alpha.client.status(beta.peer, 2)
    assert status == {"protocol": 1, "node": beta.name, "round": 3, "state": "training"}


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"kind": "gossip"}, "unknown kind"),
        ({"message": []}, "not an object"),
        ({"signature": "ab"}, "0x-hex"),
        ({"signature": "0x" + "ab" * 66}, "at most 65 bytes"),
        ({"registration": -1}, "16 bits"),
        ({"registration": True}, "16 bits"),
        ({"registration": 65536}, "16 bits"),
        ({"message": {"registration": 1}}, "different registrations"),
        ({"extra": 1}, "keys"),
    ],
)
async def test_malformed_messages_are_refused_by_name(change: dict[str, Any], why: str) -> None:
    with pytest.raises(MessageRefused, match=why):
        Envelope.from_json(envelope().to_json() | change)


@pytest.mark.parametrize("body", [b"", b"{", b"[1]", b"\xff\xfe", b"[" * 100_000])
async def test_what_is_not_json_is_refused(swarm: Swarm, body: bytes) -> None:
    alpha, beta = await swarm.join("alpha"), await swarm.join("beta")
    status, problem = await post(alpha, beta, body)
    assert status == 422
    assert problem["detail"]
    assert not beta.shelf.received


async def test_messages_above_the_limit_are_refused_by_both_sides(swarm: Swarm) -> None:
    alpha, beta = await swarm.join("alpha"), await swarm.join("beta")
    large = envelope(padding="x" * MESSAGE_LIMIT_BYTES)
    with pytest.raises(PeerError, match="more than a peer accepts"):
        await alpha.client.send(beta.peer, large, 5)
    status, _ = await post(alpha, beta, encode(large))
    assert status == 413
    assert not beta.shelf.received


async def test_a_message_of_almost_the_limit_passes(swarm: Swarm) -> None:
    alpha, beta = await swarm.join("alpha"), await swarm.join("beta")
    await alpha.client.send(beta.peer, envelope(padding="x" * (MESSAGE_LIMIT_BYTES - 4096)), 5)
    assert len(beta.shelf.received) == 1


async def test_connections_are_kept_and_few(swarm: Swarm) -> None:
    alpha, beta = await swarm.join("alpha"), await swarm.join("beta")
    for _ in range(5):
        await asyncio.gather(*(alpha.client.send(beta.peer, envelope(), 5) for _ in range(20)))
    assert len(beta.shelf.received) == 100
    assert alpha.client._session is not None
    pool = alpha.client._session.connector
    assert isinstance(pool, aiohttp.TCPConnector)
    kept = [protocol for each in pool._conns.values() for protocol, _ in each]
    assert 1 <= len(kept) <= client_module.CONNECTIONS_PER_PEER


async def test_a_peer_that_restarted_is_reached_over_a_new_connection(swarm: Swarm) -> None:
    alpha, beta = await swarm.join("alpha"), await swarm.join("beta")
    await alpha.client.send(beta.peer, envelope(), 5)
    port = int(beta.peer.url.rsplit(":", 1)[1])
    await beta.server.stop()
    with pytest.raises(PeerError) as caught:
        await alpha.client.send(beta.peer, envelope(), 5)
    assert caught.value.reason == Reason.UNREACHABLE
    beta.server._port = port
    await beta.server.start()
    await alpha.client.send(beta.peer, envelope(), 5)
    assert len(beta.shelf.received) == 2


async def test_a_message_is_sent_again_when_a_kept_connection_was_just_closed(swarm: Swarm) -> None:
    alpha, beta = await swarm.join("alpha"), await swarm.join("beta")
    seen: list[object] = []

    async def hang_up_the_second_time(
        request: web.BaseRequest, response: web.StreamResponse
    ) -> None:
        seen.append(request.transport)
        if seen.count(request.transport) == 2:
            assert request.transport is not None
            request.transport.abort()
            return
        response.set_status(204)
        await response.prepare(request)

    liar = Liar(beta)
    peer = await liar(hang_up_the_second_time)
    for _ in range(2):
        await alpha.client.send(peer, envelope(), 5)
    assert [each is seen[0] for each in seen] == [True, True, False]
    await liar.stop()


async def test_small_messages_are_not_held_back(swarm: Swarm) -> None:
    """Without TCP_NODELAY each would take 40 ms."""
    alpha, beta = await swarm.join("alpha"), await swarm.join("beta")
    await alpha.client.send(beta.peer, envelope(), 5)
    durations_s = []
    for _ in range(20):
        start = time.perf_counter()
        await alpha.client.send(beta.peer, envelope(), 5)
        durations_s.append(time.perf_counter() - start)
    assert min(durations_s) < 0.03


async def test_a_peer_that_never_answers_the_handshake_is_given_up(
    swarm: Swarm, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client_module, "CONNECT_TIMEOUT_S", 0.3)
    alpha, beta = await swarm.join("alpha"), await swarm.join("beta")
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"https://127.0.0.1:{silent.getsockname()[1]}"
        object.__setattr__(beta.peer, "url", url)
        with pytest.raises(PeerError, match=r"no TLS connection to .* within 0.3 s") as caught:
            await alpha.client.send(beta.peer, envelope(), 5)
    assert caught.value.reason == Reason.TIMEOUT


async def test_an_engine_that_takes_too_long_is_given_up(swarm: Swarm) -> None:
    alpha, beta = await swarm.join("alpha"), await swarm.join("beta")
    beta.shelf.delay_s = 5
    with pytest.raises(PeerError, match=r"waited 0.2 s for an answer from .*beta") as caught:
        await alpha.client.send(beta.peer, envelope(), 0.2)
    assert caught.value.reason == Reason.TIMEOUT


@pytest.mark.parametrize("at", ["node_agent.peers.client", "node_agent.peers.server"])
async def test_who_speaks_another_major_version_is_refused_with_a_hint(
    swarm: Swarm, monkeypatch: pytest.MonkeyPatch, at: str
) -> None:
    a, b = await swarm.join("a"), await swarm.join("b")
    monkeypatch.setattr(f"{at}.version_header", lambda: {"Swarm-Protocol": "2.0"})
    with pytest.raises(PeerError, match=r"protocol, not (1|2\.0)") as raised:
        await a.client.status(b.peer, 5.0)
    assert raised.value.reason == Reason.VERSION
    assert "same major version" in raised.value.hint


async def test_minor_versions_and_those_that_say_none_get_along(
    swarm: Swarm, monkeypatch: pytest.MonkeyPatch
) -> None:
    a, b = await swarm.join("a"), await swarm.join("b")
    monkeypatch.setattr("node_agent.peers.client.version_header", lambda: {"Swarm-Protocol": "1.9"})
    monkeypatch.setattr("node_agent.peers.server.version_header", dict)
    assert (await a.client.status(b.peer, 5.0))["protocol"] == 1
