"""How money is written: periods, files, amounts."""

from __future__ import annotations

import pytest

from marketplace import errors
from marketplace.money.envelope import Envelope
from marketplace.money.paper import tokens
from marketplace.money.periods import parse_span
from tests.marketplace.economy import TOKEN_WEI


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
