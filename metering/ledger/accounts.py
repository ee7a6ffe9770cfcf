"""The accounts of the book, and the whole numbers of wei that they hold.

A balance is what an account has received less what it gave. Accounts outside the contracts stand
for those who pay in (their balances are negative) and those who were paid (positive); accounts
whose tokens contracts hold are never below zero, and all of one contract together are its tokens.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from metering.errors import MeteringError
from metering.split import PARTY_LIMIT

WEI_LIMIT = 2**256
_HEX = "0123456789abcdef"


class Kind(StrEnum):
    """What an account is for, and what its scope is."""

    SPONSOR = "sponsor"  # run: minus all that funded its pool, whoever sent it
    ESCROW = "escrow"  # run: in the pool, not credited
    REMAINDER = "remainder"  # run: vested, but left by rounding; credited later, or refunded
    CLAIMABLE = "claimable"  # run and party: credited, not claimed; perhaps not due yet
    PAID = "paid"  # run and party: claimed
    REFUNDED = "refunded"  # run: returned to its sponsor

    BUYER = "buyer"  # run: minus all that was paid for licenses of its model
    ROYALTY = "royalty"  # run and party: their part of it, not claimed
    ROYALTY_REMAINDER = "royalty-remainder"  # run: left by rounding
    ROYALTY_PAID = "royalty-paid"  # run and party: claimed

    STAKER = "staker"  # agreement and party: minus what they put at stake, plus what they got back
    STAKE = "stake"  # agreement and party: locked, or given notice of
    PENALTY = "penalty"  # address: its part of slashed stakes, not collected
    PENALTY_PAID = "penalty-paid"  # address: collected


HOLDERS: Mapping[Kind, str] = {
    Kind.ESCROW: "Rewards",
    Kind.REMAINDER: "Rewards",
    Kind.CLAIMABLE: "Rewards",
    Kind.ROYALTY: "Royalties",
    Kind.ROYALTY_REMAINDER: "Royalties",
    Kind.STAKE: "Stakes",
    Kind.PENALTY: "Stakes",
}
"""Kinds of accounts whose tokens a contract holds, and which contract."""

PER_PARTY = frozenset(
    {Kind.CLAIMABLE, Kind.PAID, Kind.ROYALTY, Kind.ROYALTY_PAID, Kind.STAKER, Kind.STAKE}
)
"""Kinds that have one account for each party."""


@dataclass(frozen=True, slots=True)
class Account:
    """One account.

    Attributes:
        kind: what it is for.
        scope: 0x-hex of 32 bytes, lower case: the id of the run or agreement; an address is padded
            with zeros on the left, see `padded`.
        party: the organization's number in the agreement, for kinds in `PER_PARTY`; else None.
    """

    kind: Kind
    scope: str
    party: int | None = None

    def __post_init__(self) -> None:
        if not isinstance(self.kind, Kind):
            raise MeteringError(f"{self.kind!r} is no kind of account")
        check_hash(self.scope, "scope")
        if self.kind in PER_PARTY:
            check_party(self.party)
        elif self.party is not None:
            raise MeteringError(f"accounts of kind {self.kind} belong to no party")

    def __str__(self) -> str:
        own = f"{self.kind}:{self.scope}"
        return own if self.party is None else f"{own}:{self.party}"

    @property
    def held(self) -> bool:
        """Whether the contracts hold its tokens; if so it is never below zero."""
        return self.kind in HOLDERS

    @classmethod
    def parse(cls, text: str) -> Account:
        """Read what `str` gives.

        Raises:
            MeteringError: it is not that of any account.
        """
        kind, _, rest = text.partition(":")
        scope, _, party = rest.partition(":")
        if kind not in set(Kind):
            raise MeteringError(f"{kind!r} is no kind of account")
        number = int(party) if party.isascii() and party.isdecimal() else None
        account = cls(Kind(kind), scope, number)
        if str(account) != text:
            raise MeteringError(f"{text!r} is not an account")
        return account


def scope_of(name: str) -> str:
    """Return the scope in an account's name, for lists of thousands: unlike `parse`, unchecked."""
    return name.split(":", 2)[1]


def padded(address: str) -> str:
    """Return an address (0x and 40 hexadecimal digits) as the scope of its accounts."""
    scope = f"0x{address[2:].lower():0>64}" if len(address) == 42 else address
    check_hash(scope, "address")
    return scope


def check_hash(value: Any, what: str) -> None:
    """Refuse what is not 0x and 64 lower-case hexadecimal digits."""
    fits = isinstance(value, str) and len(value) == 66 and value.startswith("0x")
    if not fits or value[2:].strip(_HEX):
        raise MeteringError(f"{what} {value!r} is not 0x and 64 lower-case hexadecimal digits")


def check_count(value: Any, what: str) -> None:
    """Refuse what is not a whole number from 0 to 2^256 − 1; floats, bools and NumPy's, too."""
    if type(value) is not int or not 0 <= value < WEI_LIMIT:
        raise MeteringError(f"{what} is {value!r}, expected a whole number")


def check_party(value: Any) -> None:
    """Refuse what is not the number of a party."""
    if type(value) is not int or not 0 <= value < PARTY_LIMIT:
        raise MeteringError(f"{value!r} is not the number of a party")
