"""Who gets through the handshake and the binding, and who does not, on either side."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from dataclasses import replace

import aiohttp
import pytest
from yarl import URL

from contracts.keys import new_key
from node_agent.errors import PeerError
from node_agent.identity.tls import client_context
from node_agent.peers.protocol import Peer, Reason
from node_agent.peers.server import CONNECTIONS_FROM_PEER
from tests.identity.authority import Authority
from tests.peers.swarm import Node, Swarm, envelope, spiffe_id, svid_of

pytestmark = pytest.mark.asyncio


async def refused(sender: Node, receiver: Peer) -> PeerError:
    with pytest.raises(PeerError) as caught:
        await sender.client.send(receiver, envelope(), 5)
    return caught.value


async def test_an_enrolled_node_is_heard_and_known_by_its_registration(swarm: Swarm) -> None:
    alpha, beta = await swarm.join("alpha"), await swarm.join("beta")
    await alpha.client.send(beta.peer, envelope(), 5)
    [(sender, message)] = beta.shelf.received
    assert sender == alpha.peer
    assert message == envelope()


async def test_a_node_of_the_trust_domain_that_is_not_enrolled_is_refused(swarm: Swarm) -> None:
    stranger, beta = await swarm.join("stranger", enrolled=False), await swarm.join("beta")
    error = await refused(stranger, beta.peer)
    assert error.reason == Reason.UNREACHABLE  # the listener hangs up without a word
    assert "see its log" in error.hint
    assert not beta.shelf.received


async def test_a_client_refuses_another_enrolled_node_in_the_place_of_the_one_it_called(
    swarm: Swarm,
) -> None:
    alpha, beta, gamma = [await swarm.join(each) for each in ("alpha", "beta", "gamma")]
    error = await refused(alpha, replace(beta.peer, url=gamma.peer.url))
    assert error.reason == Reason.IDENTITY
    assert f"expected {beta.name}, but {gamma.name} answered" in str(error)
    assert not gamma.shelf.received


async def test_nobody_without_a_certificate_gets_an_answer(swarm: Swarm) -> None:
    beta = await swarm.join("beta")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    async with aiohttp.ClientSession() as session:
        with pytest.raises(aiohttp.ClientError):
            await session.get(f"{beta.peer.url}/v1/status", ssl=context)


async def test_older_versions_of_tls_are_not_spoken(
    swarm: Swarm, caplog: pytest.LogCaptureFixture
) -> None:
    alpha, beta = await swarm.join("alpha"), await swarm.join("beta")
    context = client_context(alpha.source.current(), beta.name)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    async with aiohttp.ClientSession() as session:
        with pytest.raises(aiohttp.ClientError):
            await session.get(f"{beta.peer.url}/v1/status", ssl=context)
    assert "UNSUPPORTED_PROTOCOL" in caplog.text


@pytest.mark.parametrize("whose", ["caller", "listener"])
async def test_a_certificate_of_another_authority_is_refused(swarm: Swarm, whose: str) -> None:
    forged = svid_of(Authority(), spiffe_id("alpha"))
    alpha, beta = await swarm.join("alpha", svid=forged), await swarm.join("beta")
    caller, listener = (alpha, beta) if whose == "caller" else (beta, alpha)
    error = await refused(caller, listener.peer)
    assert error.reason in (Reason.IDENTITY, Reason.UNREACHABLE)
    assert not alpha.shelf.received + beta.shelf.received


@pytest.mark.parametrize("whose", ["caller", "listener"])
async def test_an_authority_of_a_federated_domain_cannot_certify_nodes_of_ours(
    swarm: Swarm, whose: str
) -> None:
    partner = Authority("partner.example")
    # The partner's authority is trusted by all, for the names of its own trust domain.
    forged = svid_of(partner, spiffe_id("alpha"))
    forged = replace(forged, bundles=svid_of(swarm.authority, spiffe_id("x"), partner).bundles)
    trusting = svid_of(swarm.authority, spiffe_id("beta"), partner)
    alpha = await swarm.join("alpha", svid=forged)
    beta = await swarm.join("beta", svid=trusting)
    caller, listener = (alpha, beta) if whose == "caller" else (beta, alpha)
    await refused(caller, listener.peer)
    assert not alpha.shelf.received + beta.shelf.received


async def test_a_node_of_a_federated_domain_is_heard_under_its_own_name(swarm: Swarm) -> None:
    partner = Authority("partner.example")
    theirs = svid_of(partner, spiffe_id("clinic", "partner.example"), swarm.authority)
    ours = svid_of(swarm.authority, spiffe_id("beta"), partner)
    clinic, beta = await swarm.join("clinic", svid=theirs), await swarm.join("beta", svid=ours)
    await clinic.client.send(beta.peer, envelope(), 5)
    await beta.client.send(clinic.peer, envelope(), 5)
    assert len(clinic.shelf.received) == len(beta.shelf.received) == 1


async def test_a_node_that_leaves_is_refused_on_the_connection_that_it_has(swarm: Swarm) -> None:
    alpha, beta = await swarm.join("alpha"), await swarm.join("beta")
    await alpha.client.send(beta.peer, envelope(), 5)
    del swarm.members.enrolled[alpha.name]
    error = await refused(alpha, beta.peer)
    assert error.reason == Reason.IDENTITY
    assert "is not enrolled" in str(error)


class TestStolenAuthority:
    """A certificate in a node's very name, from the very CA: without its node key it is nothing."""

    async def test_the_impostor_is_not_heard(self, swarm: Swarm) -> None:
        alpha, beta = await swarm.join("alpha"), await swarm.join("beta")
        impostor = await swarm.join(
            "mallory",
            enrolled=False,
            svid=svid_of(swarm.authority, alpha.name),
            signer=new_key(),
        )
        error = await refused(impostor, beta.peer)
        assert error.reason == Reason.IDENTITY
        assert f"not bound by its node key {alpha.peer.key}" in str(error)
        assert not beta.shelf.received

    async def test_the_impostor_is_not_believed(self, swarm: Swarm) -> None:
        alpha, beta = await swarm.join("alpha"), await swarm.join("beta")
        impostor = await swarm.join(
            "mallory",
            enrolled=False,
            svid=svid_of(swarm.authority, beta.name),
            signer=new_key(),
        )
        with pytest.raises(PeerError) as caught:
            await alpha.client.status(replace(beta.peer, url=impostor.peer.url), 5)
        assert caught.value.reason == Reason.IDENTITY
        assert "not bound" in str(caught.value)

    async def test_a_binding_that_was_overheard_fits_no_other_tls_key(self, swarm: Swarm) -> None:
        alpha, beta = await swarm.join("alpha"), await swarm.join("beta")
        await alpha.client.send(beta.peer, envelope(), 5)  # so that the true one is known
        svid = svid_of(swarm.authority, alpha.name)
        impostor = await swarm.join("mallory", enrolled=False, svid=svid)
        overheard = alpha.client._caller.bindings.headers(alpha.source.current().leaf)
        impostor.client._caller.bindings._own[svid.leaf.spki_hash, int(svid.not_after_s)] = dict(
            overheard
        )
        error = await refused(impostor, beta.peer)
        assert error.reason == Reason.IDENTITY
        assert len(beta.shelf.received) == 1


class TestExpiry:
    async def test_a_listener_refuses_an_expired_caller(self, swarm: Swarm) -> None:
        alpha, beta = await swarm.join("alpha"), await swarm.join("beta")
        expired = svid_of(swarm.authority, alpha.name, ttl_s=-5)
        alpha.clock.ahead_s = -30  # the caller itself does not notice
        alpha.source.show(expired)
        error = await refused(alpha, beta.peer)
        assert error.reason in (Reason.IDENTITY, Reason.UNREACHABLE)
        assert not beta.shelf.received

    async def test_a_caller_refuses_an_expired_listener(self, swarm: Swarm) -> None:
        alpha, beta = await swarm.join("alpha"), await swarm.join("beta")
        beta.clock.ahead_s = -30
        beta.source.show(svid_of(swarm.authority, beta.name, ttl_s=-5))
        error = await refused(alpha, beta.peer)
        assert error.reason == Reason.IDENTITY
        assert "expired" in str(error)

    async def test_a_node_whose_own_svid_expired_does_not_dial(self, swarm: Swarm) -> None:
        alpha, beta = await swarm.join("alpha"), await swarm.join("beta")
        alpha.clock.ahead_s = 7200
        error = await refused(alpha, beta.peer)
        assert error.reason == Reason.IDENTITY
        assert f"the SVID of {alpha.name} expired on" in str(error)

    async def test_a_node_whose_own_svid_expired_does_not_answer(self, swarm: Swarm) -> None:
        alpha, beta = await swarm.join("alpha"), await swarm.join("beta")
        beta.clock.ahead_s = 7200
        await refused(alpha, beta.peer)
        assert not beta.shelf.received

    async def test_an_old_connection_ends_with_the_callers_svid(self, swarm: Swarm) -> None:
        alpha, beta = await swarm.join("alpha"), await swarm.join("beta")
        alpha.source.show(svid_of(swarm.authority, alpha.name, ttl_s=600))
        await alpha.client.send(beta.peer, envelope(), 5)
        beta.clock.ahead_s = 700  # only the listener's clock says that it is over
        error = await refused(alpha, beta.peer)
        assert error.reason == Reason.IDENTITY
        assert f"the SVID of {alpha.name} has expired" in str(error)
        assert len(beta.shelf.received) == 1

    async def test_an_old_connection_ends_with_the_listeners_svid(self, swarm: Swarm) -> None:
        alpha, beta = await swarm.join("alpha"), await swarm.join("beta")
        beta.source.show(svid_of(swarm.authority, beta.name, ttl_s=600))
        await alpha.client.send(beta.peer, envelope(), 5)
        alpha.clock.ahead_s = 700  # only the caller's clock says that it is over
        error = await refused(alpha, beta.peer)
        assert error.reason == Reason.IDENTITY
        assert f"the SVID of {beta.name} has expired" in str(error)

    async def test_a_listener_ends_old_connections_with_its_own_svid(self, swarm: Swarm) -> None:
        alpha, beta = await swarm.join("alpha"), await swarm.join("beta")
        beta.source.show(svid_of(swarm.authority, beta.name, ttl_s=600))
        await alpha.client.send(beta.peer, envelope(), 5)
        beta.clock.ahead_s = 700  # only the listener's clock says that it is over
        error = await refused(alpha, beta.peer)
        assert error.reason == Reason.IDENTITY
        assert "the certificate of this connection has expired" in str(error)
        assert len(beta.shelf.received) == 1


class TestRotation:
    async def test_both_sides_rotate_under_traffic_without_losing_a_message(
        self, swarm: Swarm
    ) -> None:
        alpha, beta = await swarm.join("alpha"), await swarm.join("beta")
        for number in range(12):
            await alpha.client.send(beta.peer, envelope(number=number), 5)
            if number % 3 == 1:
                alpha.source.show(svid_of(swarm.authority, alpha.name))
            if number % 3 == 2:
                beta.source.show(svid_of(swarm.authority, beta.name))
        assert [each.message["number"] for _, each in beta.shelf.received] == list(range(12))

    async def test_new_connections_show_the_new_svid(self, swarm: Swarm) -> None:
        alpha, beta = await swarm.join("alpha"), await swarm.join("beta")
        await alpha.client.send(beta.peer, envelope(), 5)
        renewed_alpha = svid_of(swarm.authority, alpha.name, ttl_s=7200)
        renewed_beta = svid_of(swarm.authority, beta.name, ttl_s=7200)
        alpha.source.show(renewed_alpha)
        beta.source.show(renewed_beta)
        # Past the life of the first SVIDs, only connections made with the new ones are of use.
        alpha.clock.ahead_s = beta.clock.ahead_s = 5400
        await alpha.client.send(beta.peer, envelope(), 5)
        assert len(beta.shelf.received) == 2

    async def test_the_authority_rotates_when_both_bundles_know_both(self, swarm: Swarm) -> None:
        alpha, beta = await swarm.join("alpha"), await swarm.join("beta")
        successor = Authority(swarm.authority.trust_domain)
        both = {successor.trust_domain: (swarm.authority.der, successor.der)}
        alpha.source.show(replace(svid_of(successor, alpha.name), bundles=both))
        beta.source.show(replace(svid_of(swarm.authority, beta.name), bundles=both))
        await alpha.client.send(beta.peer, envelope(), 5)
        assert len(beta.shelf.received) == 1


@pytest.mark.parametrize(
    "url", ["https://[bad", "https://host:99999", f"https://{'a' * 70}.example", "https://a..b"]
)
async def test_an_address_that_leads_nowhere_is_the_fault_of_its_node_alone(
    swarm: Swarm, url: str
) -> None:
    alpha, beta = await swarm.join("alpha"), await swarm.join("beta")
    error = await refused(alpha, replace(beta.peer, url=url))
    assert error.reason == Reason.UNREACHABLE


async def test_a_member_cannot_use_up_the_connections_of_another(swarm: Swarm) -> None:
    alpha, beta, gamma = [await swarm.join(each) for each in ("alpha", "beta", "gamma")]
    context = client_context(alpha.source.current(), beta.name)
    port = URL(beta.peer.url).port
    writers = []
    for _ in range(CONNECTIONS_FROM_PEER + 4):
        reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=context)
        writers.append((reader, writer))
    # In TLS 1.3 a client learns only afterwards that it was turned away.
    for reader, _ in writers[CONNECTIONS_FROM_PEER:]:
        with contextlib.suppress(OSError):
            assert await asyncio.wait_for(reader.read(1), 5) == b""
    open_still = [reader for reader, _ in writers if not (reader.at_eof() or reader.exception())]
    assert len(open_still) == CONNECTIONS_FROM_PEER
    await gamma.client.send(beta.peer, envelope(), 5)
    for _, writer in writers:
        writer.close()
