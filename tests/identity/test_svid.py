"""What counts as an SVID and as a SPIFFE ID."""

from __future__ import annotations

import pytest
from cryptography import x509

from node_agent.errors import IdentityError
from node_agent.identity.svid import read_leaf, trust_domain_of
from tests.identity.authority import Authority

NAME = "spiffe://consortium.example/org/clinic/node/1"


def test_a_leaf_says_who_and_until_when() -> None:
    issued = Authority().issue(NAME, ttl_s=100)
    leaf = read_leaf(issued.certificate)
    assert (leaf.spiffe_id, leaf.trust_domain) == (NAME, "consortium.example")
    assert leaf.not_after_s == issued.certificate.not_valid_after_utc.timestamp()


def test_an_authority_is_no_node() -> None:
    with pytest.raises(IdentityError, match="authority"):
        read_leaf(Authority().certificate)


@pytest.mark.parametrize("count", [0, 2])
def test_an_svid_has_exactly_one_uri(count: int) -> None:
    names = tuple(x509.UniformResourceIdentifier(f"{NAME}{each}") for each in range(count))
    issued = Authority().issue(None, names=(x509.DNSName("x.example"), *names))
    with pytest.raises(IdentityError, match=f"has {count} URIs"):
        read_leaf(issued.certificate)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "https://consortium.example/org",
        "spiffe://",
        "spiffe:///org",
        "spiffe://Consortium.example/org",
        "spiffe://consortium.example:8443/org",
        "spiffe://user@consortium.example/org",
        "spiffe://consortium.example/org/",
        "spiffe://consortium.example//org",
        "spiffe://consortium.example/org/../node",
        "spiffe://consortium.example/./node",
        "spiffe://consortium.example/org?x",
        "spiffe://consortium.example/org#x",
        "spiffe://consortium.example/o%72g",
        "spiffe://consortium.example/org\n",
        "spiffe://consortium.example/" + "x" * 2048,
    ],
)
def test_what_is_no_spiffe_id_is_refused(text: str) -> None:
    with pytest.raises(IdentityError, match="not a SPIFFE ID"):
        trust_domain_of(text)
