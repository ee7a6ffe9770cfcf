"""How money is written: periods, files, amounts."""

from __future__ import annotations

from typing import Any

import pytest

from marketplace import errors
from marketplace.chain.records import Record
from marketplace.money.envelope import Envelope
from marketplace.money.holders import Membership, memberships_held, memberships_of
from marketplace.money.paper import tokens
from marketplace.money.periods import parse_span
from marketplace.money.statements import reference_of
from metering.ledger import Place
from tests.marketplace.economy import TOKEN_WEI

HASH = "0x" + "ab" * 32


@pytest.mark.parametrize(
    ("text", "days"),
    [("2026", 365), ("2026-Q3", 92), ("2026-12", 31), ("2024-02-28..2024-03-01", 3)],
)
def test_periods_are_read_as_people_write_them(text: str, days: int) -> None:
    span = parse_span(text)
    assert span.ends_s - span.begins_s == days * 86_400


@pytest.mark.parametrize("text", ["", "2026-13", "2026-Q5", "26", "2026-07-02..2026-07-01"])
def test_what_is_no_period_is_refused_with_examples(text: str) -> None:
    with pytest.raises(errors.InvalidInput) as refused:
        parse_span(text)
    assert "2026-Q3" in refused.value.hint


@pytest.mark.parametrize("data", [b"", b"{}", b"[1]", b'{"format":"swarm-signed-statement-1"}'])
def test_what_is_no_statement_is_refused(data: bytes) -> None:
    with pytest.raises(errors.InvalidInput, match="not a statement"):
        Envelope.parse(data)


def test_amounts_in_tokens_have_all_their_digits() -> None:
    assert tokens(1_234_567 * TOKEN_WEI) == "1,234,567.00"
    assert tokens(-1) == "-0.000000000000000001"
    assert tokens(3 * TOKEN_WEI // 2) == "1.50"


@pytest.mark.parametrize(
    "settings", [("EUR", "", "x"), ("euro", "1", "x"), ("EUR", "1e3", "x"), ("EUR", "-1", "x")]
)
def test_half_a_reference_price_or_no_price_is_refused(settings: tuple[str, str, str]) -> None:
    with pytest.raises(errors.InvalidInput, match="reference price"):
        reference_of(*settings)
    assert reference_of("", "", "") is None


def record(kind: str, time_s: int, **data: Any) -> Record:
    place = Place(
        chain_id=1, block=time_s, block_hash=HASH, log_index=0, transaction="0x" + "cd" * 32
    )
    return Record(kind, place, time_s, {"agreement": HASH, **data})


def test_a_replacement_of_a_wallet_that_is_called_off_changes_nobody() -> None:
    members = [{"organization": "clinic-a", "wallet": "0xA", "weight": 1}]
    history = [
        record("AgreementActivated", 1, members=members),
        record("WalletChanged", 10, party=0, wallet="0xThief", since=1_000),
        record("WalletChanged", 20, party=0, wallet="0xA", since=20),
        record("WalletChanged", 30, party=0, wallet="0xB", since=40),
        record("WalletChanged", 50, party=0, wallet="0xC", since=60),
    ]
    (seat,) = memberships_of(history)
    assert seat.wallets == ["0xA", "0xB", "0xC"]
    holders = [seat.present(now_s) for now_s in (2, 15, 35, 40, 59, 60)]
    assert holders == ["0xA", "0xA", "0xA", "0xB", "0xB", "0xC"]


def test_an_organization_is_a_name_and_a_wallet() -> None:
    mine = Membership("0x1", 0, "clinic-a", ["0xA", "0xB"])
    later = Membership("0x2", 3, "clinic-a", ["0xB"])
    other = Membership("0x3", 0, "clinic-a", ["0xX"])
    named = Membership("0x2", 1, "clinic-b", ["0xA"])
    seats = [other, later, mine, named]
    assert memberships_held(seats, "clinic-a", "0xA") == [later, mine]
    assert memberships_held(seats, "clinic-a", "0xX") == [other]
    assert memberships_held(seats, "clinic-a", "0xY") == []
