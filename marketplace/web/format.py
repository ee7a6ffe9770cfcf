"""How numbers and names look on pages."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from marketplace.agreements.document import token_amount
from marketplace.clock import iso

_TOKEN_WEI = 10**18


def loss(value_e9: int | None) -> str:
    """Four decimals; small losses get as many as show something."""
    if value_e9 is None:
        return "–"
    value = value_e9 / 1e9
    return f"{value:.4f}" if value >= 0.01 or value == 0 else f"{value:.2e}"


def metric(value_e9: int | None) -> str:
    return "–" if value_e9 is None else f"{value_e9 / 1e9:.4f}"


def tokens(amount_wei: int | str | None) -> str:
    """Tokens with two decimals, or six when it is less than one; rounded down."""
    if amount_wei is None:
        return "–"
    amount = int(amount_wei)
    digits = 2 if amount >= _TOKEN_WEI or amount == 0 else 6
    whole, rest = divmod(amount, _TOKEN_WEI)
    return f"{whole:,}".replace(",", "\u202f") + f".{rest:018d}"[: digits + 1]


def column(amount_wei: int | str | None) -> str:
    """Tokens with four decimals whatever the amount, rounded down: for columns of them."""
    if amount_wei is None:
        return "–"
    amount = int(amount_wei)
    if 0 < amount < _TOKEN_WEI // 10_000:
        return "< 0.0001"
    whole, rest = divmod(amount, _TOKEN_WEI)
    return f"{whole:,}".replace(",", "\u202f") + f".{rest:018d}"[:5]


def exact(amount_wei: int | str | None) -> str:
    """All decimals of an amount, for those who point at it."""
    return "" if amount_wei is None else f"{token_amount(int(amount_wei))} tokens"


def scaled(value: int | float | None, unit: int) -> str:
    """A number in thousands or millions, with the decimals that show three digits of it."""
    if value is None:
        return "–"
    found = value / unit
    digits = next((n for n, least in enumerate((100, 10, 1)) if found >= least or not found), 3)
    return f"{found:,.{digits}f}".replace(",", "\u202f")


def grouped(value: int) -> str:
    return f"{value:,}".replace(",", "\u202f")


def percent(part: int | str, whole: int | str) -> str:
    return "–" if not int(whole) else f"{100 * int(part) / int(whole):.1f}\u202f%"


def short(text: str | None, digits: int = 6) -> str:
    """The beginning of a hash and its last four digits."""
    return "–" if not text else f"{text[: digits + 2]}…{text[-4:]}"


def node(spiffe_id: str | None) -> str:
    """`organization/node` of a SPIFFE ID."""
    if not spiffe_id:
        return "–"
    _, _, rest = spiffe_id.partition("/org/")
    return rest.replace("/node/", "/") or spiffe_id


def bips(value: int) -> str:
    return f"{value / 100:.1f}\u202f%"


FILTERS: dict[str, Callable[..., Any]] = {
    "loss": loss,
    "metric": metric,
    "tokens": tokens,
    "column": column,
    "exact": exact,
    "scaled": scaled,
    "grouped": grouped,
    "short": short,
    "node": node,
    "bips": bips,
    "iso": iso,
}
