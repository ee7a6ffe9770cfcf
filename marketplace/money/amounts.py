"""Amounts of tokens, as people write them and as they are missing."""

from __future__ import annotations

import re
from typing import Final

from marketplace.agreements.document import token_amount
from marketplace.errors import ChainRefusal, InvalidInput

_DECIMALS: Final = 18
_AMOUNT: Final = re.compile(rf"[0-9]{{1,60}}(\.[0-9]{{1,{_DECIMALS}}})?", re.ASCII)


def wei_of(tokens: str) -> int:
    """The wei of an amount of tokens, `1000` or `0.5`. Raises InvalidInput."""
    whole, _, rest = tokens.partition(".")
    amount_wei = int(whole + rest.ljust(_DECIMALS, "0")) if _AMOUNT.fullmatch(tokens) else 0
    if amount_wei == 0:
        raise InvalidInput(
            f"{tokens!r} is not an amount of tokens",
            hint=f"above zero, with a point and up to {_DECIMALS} decimals: 1000 or 0.5",
        )
    return amount_wei


def must_have(payer: str, balance_wei: int, amount_wei: int) -> None:
    """Raises ChainRefusal if a wallet has fewer tokens than it is to pay."""
    if balance_wei < amount_wei:
        raise ChainRefusal(
            f"{payer} has {token_amount(balance_wei)} tokens: "
            f"{token_amount(amount_wei - balance_wei)} are missing of {token_amount(amount_wei)}",
            hint="pay in what it has, or have tokens sent there first",
        )
