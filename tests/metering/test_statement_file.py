"""The statement as a file: strict canonical JSON, and a table with a reference price beside it."""

from __future__ import annotations

import csv
import io
import json
from decimal import ROUND_UP, Decimal, localcontext
from fractions import Fraction

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from metering.canonical import EXACT_IN_JSON, encode
from metering.errors import MeteringError
from metering.statement import (
    COLUMNS,
    Cause,
    Line,
    Movement,
    Period,
    Reference,
    Statement,
    closing_wei,
    parse,
    to_csv,
    totals,
)
from tests.metering.simulated_chain import hash_of, run_id, wallet

WHOLE_TOKEN_WEI = 10**18
PRICE = Reference(currency="EUR", price=Decimal("0.125"), source="an exchange, 2026-01-31")


def statement(reference: Reference | None = None) -> Statement:
    lines = (
        Line(
            run=run_id(1),
            party=2,
            round=7,
            model=hash_of("model"),
            metered_bips=4000,
            equal_bips=3333,
            size_bips=None,
            vested_wei=10 * WHOLE_TOKEN_WEI,
            amount_wei=4 * WHOLE_TOKEN_WEI,
            transaction=hash_of("credit"),
            block=11,
        ),
    )
    movements = (
        Movement(
            cause=Cause.CLAIM,
            run=run_id(1),
            amount_wei=3 * WHOLE_TOKEN_WEI,
            account=wallet(2),
            transaction=hash_of("claim"),
            block=12,
        ),
    )
    sums = totals(lines, movements)
    return Statement(
        chain_id=31337,
        contract=wallet(99),
        organization="klinik-süd",
        period=Period(
            first_block=10, last_block=20, last_block_hash=hash_of(20), begins_s=100, ends_s=200
        ),
        opening_wei=WHOLE_TOKEN_WEI,
        lines=lines,
        movements=movements,
        totals=sums,
        closing_wei=closing_wei(WHOLE_TOKEN_WEI, sums),
        reference=reference,
    )


@pytest.mark.parametrize("reference", [None, PRICE])
def test_a_file_reads_back(reference: Reference | None) -> None:
    issued = statement(reference)
    assert parse(issued.to_bytes()) == issued
    assert issued.to_bytes().isascii()


DATA = statement(PRICE).to_bytes()


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "not canonical JSON"),
        (b"\xff\xfe", "not canonical JSON"),
        (b"[" * 100_000, "not canonical JSON"),
        (b"[]", "the format is None"),
        (DATA.replace(b"swarm-statement-1", b"swarm-statement-2"), "swarm-statement-2"),
        (DATA + b"\n", "not in canonical form"),
        (json.dumps(json.loads(DATA), sort_keys=True).encode(), "not in canonical form"),
        (DATA.replace(b'"party":2', b'"party":2.0'), "not a whole number"),
        (DATA.replace(b'"party":2', b'"party":NaN'), "party"),
        (DATA.replace(b'"party":2', b'"party":true'), r"lines\[0\].party is 'True'"),
        (DATA.replace(b'"party":2', b'"party":"2"'), "not in canonical form"),
        (DATA.replace(b'"party":2', b'"party":"two"'), "expected a whole number"),
        (DATA.replace(b'"party":2', b'"party":"' + b"9" * 9000 + b'"'), "a whole number"),
        (DATA.replace(b'"party":2', b'"party":' + b"9" * 9000), "not canonical JSON"),
        (DATA.replace(b'"party":2', b'"party":2,"party":2'), "given twice"),
        (DATA.replace(b'"party":2', b'"parties":2'), r"lines\[0\].parties is unknown"),
        (DATA.replace(b'"party":2,', b""), r"lines\[0\].party is missing"),
        (DATA.replace(b'"4000000000000000000"', b"4000000000000000000"), "canonical form"),
        (DATA.replace(b'"size_bips":null', b'"size_bips":[]'), "size_bips"),
        (DATA.replace(b'"cause":"claim"', b'"cause":"gift"'), "expected a Cause"),
        (DATA.replace(b'"price":"0.125"', b'"price":"+0.125"'), "not in canonical form"),
        (DATA.replace(b'"price":"0.125"', b'"price":"1e999999999"'), "not a price"),
        (DATA.replace(b'"price":"0.125"', b'"price":"0e999999999"'), "not a price"),
        (DATA.replace(b'"price":"0.125"', b'"price":"NaN"'), "not a price"),
        (DATA.replace(b'"price":"0.125"', b'"price":0.125'), "not a whole number"),
        (DATA.replace(b'"currency":"EUR"', b'"currency":"=1+"'), "three capitals"),
        (DATA.replace(b'"movements":[', b'"movements":[5,'), r"movements\[0\] is '5'"),
        (DATA.replace(b'"round":7', b'"round":"7"'), "not in canonical form"),
    ],
)
def test_what_was_not_issued_like_this_is_refused(data: bytes, message: str) -> None:
    assert data != DATA
    with pytest.raises(MeteringError, match=message):
        parse(data)


@given(st.binary(max_size=200))
def test_noise_is_refused_in_words(data: bytes) -> None:
    with pytest.raises(MeteringError):
        parse(data)


@given(st.integers(0, len(DATA) - 1), st.integers(0, 255))
def test_a_changed_byte_is_another_statement_or_none(place: int, byte: int) -> None:
    changed = DATA[:place] + bytes([byte]) + DATA[place + 1 :]
    if changed != DATA:
        try:
            read = parse(changed, check_sums=False)
        except MeteringError:
            return
        assert read != statement(PRICE)
        assert read.digest() != statement(PRICE).digest()


@given(st.integers(-(2**80), 2**80))
@example(2**53)
@example(2**53 + 1)
@example(-(2**53))
def test_whole_numbers_are_strings_only_beyond_what_doubles_hold(number: int) -> None:
    written = json.loads(encode([number]))[0]
    assert int(written) == number
    assert isinstance(written, str) == (abs(number) > EXACT_IN_JSON)


@pytest.mark.parametrize("value", [1.0, float("nan"), {1, 2}, b"bytes", Decimal("NaN")])
def test_what_has_no_exact_form_is_not_written(value: object) -> None:
    with pytest.raises(MeteringError, match="no exact form"):
        encode([value])


def test_the_table_has_a_row_for_everything_and_sums_to_its_closing_balance() -> None:
    text = to_csv(statement())
    rows = list(csv.DictReader(io.StringIO(text, newline="")))
    assert tuple(rows[0]) == COLUMNS
    assert [(row["what"], row["amount_wei"]) for row in rows] == [
        ("opening balance", "1000000000000000000"),
        ("round", "4000000000000000000"),
        ("claim", "-3000000000000000000"),
        ("total of rounds", "4000000000000000000"),
        ("total of royalties", "0"),
        ("total of claims", "-3000000000000000000"),
        ("total of refunds (not in the balance)", "0"),
        ("closing balance", "2000000000000000000"),
    ]
    assert sum(int(row["amount_wei"]) for row in rows[:3]) == int(rows[-1]["amount_wei"])
    assert (rows[1]["metered_bips"], rows[1]["equal_bips"], rows[1]["size_bips"]) == (
        "4000",
        "3333",
        "",
    )
    assert text.endswith("\r\n")


def test_a_reference_price_is_labeled_and_changes_no_amount() -> None:
    plain, priced = statement(), statement(PRICE)
    rows = list(csv.DictReader(io.StringIO(to_csv(priced), newline="")))
    label = "EUR (reference; not paid by)"
    assert [row[label] for row in rows[:3]] == ["0.12", "0.50", "-0.38"]  # half to even
    assert [row["amount_wei"] for row in rows] == [
        row["amount_wei"] for row in csv.DictReader(io.StringIO(to_csv(plain), newline=""))
    ]
    assert (priced.lines, priced.totals, priced.closing_wei) == (
        plain.lines,
        plain.totals,
        plain.closing_wei,
    )


@given(st.integers(-(2**256), 2**256), st.decimals(0, 10**9, places=6))
def test_what_an_amount_would_come_to_does_not_depend_on_who_asks(wei: int, price: Decimal) -> None:
    reference = Reference(currency="USD", price=price, source="")
    with localcontext(prec=3, rounding=ROUND_UP):
        worth = reference.worth(wei)
    assert abs(Fraction(worth) - Fraction(wei) * Fraction(price) / 10**18) <= Fraction(1, 200)


@pytest.mark.parametrize(
    ("currency", "price"),
    [
        ("eur", Decimal(1)),
        ("EURO", Decimal(1)),
        ("€€€", Decimal(1)),
        ("EUR", 1.5),
        ("EUR", Decimal("-1")),
        ("EUR", Decimal("Infinity")),
    ],
)
def test_a_reference_is_a_currency_and_a_decimal(currency: str, price) -> None:
    with pytest.raises(MeteringError):
        Reference(currency=currency, price=price, source="")
