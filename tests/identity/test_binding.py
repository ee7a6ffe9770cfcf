"""A TLS key counts only if the node key that is on chain vouches for it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from contracts.keys import new_key
from contracts.messages import Domain
from node_agent.errors import IdentityError
from node_agent.identity.binding import NOT_AFTER_HEADER, SIGNATURE_HEADER, Bindings, NodeIdentity
from node_agent.identity.svid import Leaf
from tests.identity.clock import Clock
from tests.peers.swarm import AGREEMENT, CONSORTIUM, HandSource

LEAF = Leaf("spiffe://a.example/org/x/node/1", "a.example", bytes(range(32)), 0.0, 2e9)
SIGNER = new_key()


def bindings(
    clock: Clock | None = None, agreement: bytes = AGREEMENT, domain: Domain = CONSORTIUM
) -> Bindings:
    clock = clock or Clock()
    return Bindings(NodeIdentity(HandSource(None), SIGNER, clock=clock), agreement, domain)


def test_a_binding_convinces_who_knows_the_node_key() -> None:
    headers = bindings().headers(LEAF)
    assert headers[NOT_AFTER_HEADER] == "2000000000"
    judge = bindings()
    for _ in range(2):  # the second time from memory
        judge.check(LEAF, SIGNER.address, headers)


def test_a_binding_ends_by_itself_even_if_a_certificate_for_its_key_lasts_longer() -> None:
    headers, clock = bindings().headers(LEAF), Clock()
    judge = bindings(clock)
    prolonged = replace(LEAF, not_after_s=3e9)
    judge.check(prolonged, SIGNER.address, headers)
    clock.ahead_s = 1e9
    with pytest.raises(IdentityError, match="has expired"):
        judge.check(prolonged, SIGNER.address, headers)


def test_an_expiry_that_was_changed_breaks_the_signature() -> None:
    headers = {**bindings().headers(LEAF), NOT_AFTER_HEADER: "3000000000"}
    with pytest.raises(IdentityError, match="not bound"):
        bindings().check(LEAF, SIGNER.address, headers)


@pytest.mark.parametrize("remembered", [False, True])
def test_a_binding_is_for_one_tls_key(remembered: bool) -> None:
    headers, judge = bindings().headers(LEAF), bindings()
    if remembered:
        judge.check(LEAF, SIGNER.address, headers)
    with pytest.raises(IdentityError, match="not bound"):
        judge.check(replace(LEAF, spki_hash=bytes(32)), SIGNER.address, headers)


@pytest.mark.parametrize("remembered", [False, True])
def test_a_binding_is_by_one_node_key(remembered: bool) -> None:
    headers, judge = bindings().headers(LEAF), bindings()
    if remembered:
        judge.check(LEAF, SIGNER.address, headers)
    with pytest.raises(IdentityError, match="not bound"):
        judge.check(LEAF, new_key().address, headers)


def test_a_binding_is_for_one_agreement_on_one_chain() -> None:
    headers = bindings().headers(LEAF)
    for elsewhere in (
        bindings(agreement=bytes(32)),
        bindings(domain=replace(CONSORTIUM, chain_id=1)),
    ):
        with pytest.raises(IdentityError, match="not bound"):
            elsewhere.check(LEAF, SIGNER.address, headers)


@pytest.mark.parametrize(
    "spoilt",
    [
        {SIGNATURE_HEADER: ""},
        {SIGNATURE_HEADER: "0xzz"},
        {SIGNATURE_HEADER: "0x" + "00" * 65},
        {SIGNATURE_HEADER: "0x" + "ab" * 64},
        {NOT_AFTER_HEADER: ""},
        {NOT_AFTER_HEADER: "soon"},
        {NOT_AFTER_HEADER: "9" * 30},
        {NOT_AFTER_HEADER: "9" * 5000},
    ],
)
def test_malformed_bindings_are_refused(spoilt: dict[str, str]) -> None:
    with pytest.raises(IdentityError):
        bindings().check(LEAF, SIGNER.address, {**bindings().headers(LEAF), **spoilt})


def test_no_binding_is_refused() -> None:
    with pytest.raises(IdentityError, match="does not bind"):
        bindings().check(LEAF, SIGNER.address, {})
