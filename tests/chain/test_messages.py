"""What is hashed, signed and sent: exactly EIP-712, and nothing that could be misread."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

import pytest
from eth_account import Account
from eth_account.messages import encode_typed_data
from eth_utils import keccak

from contracts import messages as m
from contracts.keys import Signer, new_key
from contracts.kinds import checksum_address
from scripts.make_vectors import VECTORS, hashes, root, samples

DOMAIN = m.Domain(31337, "0x5FbDB2315678afecb367f032d93F642f64180aa3")
OPERATOR = Signer(b"\x01" * 32)
UPDATE = m.Update(root("run"), 3, root("prev"), 2, root("update"), 123_456, 812)


def name(sample: m.Struct) -> str:
    return type(sample).__name__


@pytest.fixture(params=samples(), ids=name)
def sample(request: pytest.FixtureRequest) -> m.Struct:
    message: m.Struct = request.param
    return message


def test_every_message_has_a_vector() -> None:
    structs = {each for each in vars(m).values() if isinstance(each, type)}
    messages = {each for each in structs if issubclass(each, m.Struct) and each is not m.Struct}
    votes = {m.Votes, m.Row}  # attestations, as the contracts take them: signed as such
    assert messages - votes == {type(each) for each in samples()}


def test_the_vectors_on_disk_are_what_the_code_gives() -> None:
    kept = json.loads((VECTORS / "hashes.json").read_text(encoding="utf-8"))
    assert kept == hashes()


def test_the_digest_is_that_of_an_independent_implementation(sample: m.Struct) -> None:
    theirs = encode_typed_data(full_message=m.typed_data(DOMAIN, sample))
    assert keccak(b"\x19\x01" + theirs.header + theirs.body) == m.digest(DOMAIN, sample)
    assert theirs.body == m.struct_hash(sample)


def test_a_wallet_and_a_node_make_the_same_signature(sample: m.Struct) -> None:
    by_wallet = Account.sign_typed_data(
        OPERATOR.secret, full_message=m.typed_data(DOMAIN, sample)
    ).signature
    assert bytes(by_wallet) == m.sign(DOMAIN, sample, OPERATOR)


def test_a_signature_tells_who_signed(sample: m.Struct) -> None:
    signer = new_key()
    assert m.recover(DOMAIN, sample, m.sign(DOMAIN, sample, signer)) == signer.address


@pytest.mark.parametrize(
    "change",
    [
        {"round": 4},
        {"run_id": root("another")},
        {"prev": root("another")},
        {"registration": 1},
        {"root": root("another")},
        {"size": 123_457},
        {"samples": 0},
    ],
    ids=lambda change: next(iter(change)),
)
def test_a_tampered_message_is_nobodys(change: dict[str, Any]) -> None:
    signature = m.sign(DOMAIN, UPDATE, OPERATOR)
    tampered = dataclasses.replace(UPDATE, **change)
    assert m.recover(DOMAIN, tampered, signature) != OPERATOR.address


@pytest.mark.parametrize(
    "domain", [m.Domain(1, DOMAIN.contract), m.Domain(31337, "0x" + "12" * 20)]
)
def test_a_signature_counts_for_one_contract_on_one_chain(domain: m.Domain) -> None:
    signature = m.sign(DOMAIN, UPDATE, OPERATOR)
    assert m.recover(domain, UPDATE, signature) != OPERATOR.address


def test_a_signature_has_no_second_form() -> None:
    signature = m.sign(DOMAIN, UPDATE, OPERATOR)
    order = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
    s = order - int.from_bytes(signature[32:64], "big")
    twin = signature[:32] + s.to_bytes(32, "big") + bytes([55 - signature[64]])
    bad = (twin, signature[:64], signature + b"\0", signature[:64] + b"\0", bytes(64) + b"\x1b")
    for each in bad:
        with pytest.raises(m.SignatureError):
            m.recover(DOMAIN, UPDATE, each)


def test_json_brings_a_message_back(sample: m.Struct) -> None:
    travelled = json.loads(json.dumps(m.to_json(sample)))
    assert m.from_json(type(sample), travelled) == sample


def test_json_keeps_large_numbers_exact() -> None:
    value = m.to_json(m.Claim((root("run"),), 1, "0x" + "00" * 19 + "01", 2**53 + 1, 2**53))
    assert value["nonce"] == "9007199254740993"
    assert value["deadline"] == 2**53


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"round": "3"}, "Update.round"),
        ({"round": 3.0}, "Update.round"),
        ({"round": True}, "Update.round"),
        ({"round": None}, "Update.round"),
        ({"round": -1}, "Update.round"),
        ({"round": 2**32}, "Update.round"),
        ({"samples": 2**60}, "Update.samples"),
        ({"samples": "01152921504606846976"}, "Update.samples"),
        ({"samples": str(2**64)}, "Update.samples"),
        ({"root": "0x" + "AB" * 32}, "Update.root"),
        ({"root": "ab" * 32}, "Update.root"),
        ({"root": "0x" + "ab" * 31}, "Update.root"),
        ({"root": ["0x"]}, "Update.root"),
        ({"note": "hello"}, "unknown note"),
    ],
)
def test_json_that_could_be_misread_is_refused(change: dict[str, Any], complaint: str) -> None:
    with pytest.raises(m.MessageError, match=complaint):
        m.from_json(m.Update, m.to_json(UPDATE) | change)


def test_json_with_a_missing_key_is_refused() -> None:
    value = m.to_json(UPDATE)
    del value["prev"]
    with pytest.raises(m.MessageError, match="missing prev"):
        m.from_json(m.Update, value)


@pytest.mark.parametrize("value", [None, [], "Update", 3])
def test_json_that_is_no_object_is_refused(value: object) -> None:
    with pytest.raises(m.MessageError, match="not an object"):
        m.from_json(m.Update, value)


def test_a_fault_inside_of_a_nested_message_is_named() -> None:
    value = m.to_json(next(each for each in samples() if isinstance(each, m.Agreement)))
    value["parties"][1]["weight"] = 70_000
    with pytest.raises(m.MessageError, match=r"Agreement\.parties: Party\.weight: 70000"):
        m.from_json(m.Agreement, value)


@pytest.mark.parametrize(
    "change", [{"round": 2**32}, {"round": -1}, {"root": b"short"}, {"prev": "0x"}, {"size": True}]
)
def test_what_does_not_fit_its_type_is_not_hashed(change: dict[str, Any]) -> None:
    with pytest.raises(m.MessageError, match=f"Update.{next(iter(change))}"):
        m.struct_hash(dataclasses.replace(UPDATE, **change))


def test_capitals_of_an_address_are_checked() -> None:
    good = "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed"  # of EIP-55
    assert checksum_address(good) == checksum_address(good.lower()) == good
    with pytest.raises(m.MessageError, match="capitals"):
        checksum_address(good.replace("A", "a", 1))
    with pytest.raises(m.MessageError, match="not an address"):
        checksum_address(good[:-1])


def test_packed_shares_and_rejects_come_back() -> None:
    shares = ((0, 5_000), (2, 0), (65_535, 5_000))
    assert m.unpack_shares(m.pack_shares(shares)) == shares
    assert m.pack_shares(shares[:1]).hex() == "00001388"
    rejects = ((1, 4), (65_535, 255))
    assert m.unpack_rejects(m.pack_rejects(rejects)) == rejects
    assert m.pack_rejects(rejects[:1]).hex() == "000104"
    assert m.unpack_shares(b"") == m.unpack_rejects(b"") == ()


@pytest.mark.parametrize(
    "shares",
    [
        [(1, 1), (0, 1)],
        [(1, 1), (1, 1)],
        [(0, 10_001)],
        [(0, 6_000), (1, 4_001)],
        [(65_536, 1)],
        [(0, -1)],
    ],
)
def test_shares_that_the_contract_would_refuse_are_not_packed(
    shares: list[tuple[int, int]],
) -> None:
    with pytest.raises(m.MessageError):
        m.pack_shares(shares)


@pytest.mark.parametrize("packed", [b"\0", b"\0\1\0\1\0\0\0\1", b"\0\0\x27\x11"])
def test_packed_shares_that_break_the_rules_are_not_read(packed: bytes) -> None:
    with pytest.raises(m.MessageError):
        m.unpack_shares(packed)


def test_who_leads_depends_on_everything_that_was_agreed() -> None:
    ranks = {
        m.leader_rank(root(run), number, root(merged), organization)
        for run in ("run", "other")
        for number in (1, 2)
        for merged in ("merged", "other")
        for organization in ("hospital-a", "an-organization-of-more-than-32-letters")
    }
    assert len(ranks) == 16
