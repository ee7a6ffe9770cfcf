"""What a statement says, and the bytes that are signed."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, Decimal, localcontext
from enum import StrEnum
from functools import cached_property

from metering import canonical
from metering.errors import MeteringError

FORM = "swarm-statement-1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Period:
    """The blocks that a statement covers, both included, and the times that were asked for.

    Attributes:
        first_block: one after the last block of the statement before.
        last_block: final when the statement was drawn up.
        last_block_hash: 0x-hex; says of which branch the chain is meant.
        begins_s: Unix time from which on, and
        ends_s: before which, the blocks were made.
    """

    first_block: int
    last_block: int
    last_block_hash: str
    begins_s: int
    ends_s: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """A sealed round: what it was worth to the organization. Shares in basis points.

    Attributes:
        run: 0x-hex id of the run.
        party: the organization's number in the run's agreement.
        model: 0x-hex root of the merged model.
        metered_bips: the share by measured contribution, rounded down; None if not measured.
        equal_bips: the share in an equal split over the roster.
        size_bips: the share by samples, which are the nodes' own word; None if not known.
        vested_wei: what the round divided between all organizations: newly vested by its progress,
            and what rounding had left before.
        amount_wei: what the organization was credited of it.
        transaction: that credited it, or sealed the round if nothing was credited.
        block: of the transaction.
    """

    run: str
    party: int
    round: int
    model: str
    metered_bips: int | None
    equal_bips: int
    size_bips: int | None
    vested_wei: int
    amount_wei: int
    transaction: str
    block: int


class Cause(StrEnum):
    """Why money moved other than by a round."""

    CLAIM = "claim"  # credits paid out
    ROYALTY = "royalty"  # a license was sold
    ROYALTY_CLAIM = "royalty-claim"  # royalties paid out
    REFUND = "refund"  # to the organization as a sponsor; not part of its balance


@dataclass(frozen=True, slots=True, kw_only=True)
class Movement:
    """Money that moved other than by a round; `account` is the address it went to or came from."""

    cause: Cause
    run: str
    amount_wei: int
    account: str
    transaction: str
    block: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Totals:
    credited_wei: int
    royalties_wei: int
    claimed_wei: int
    refunded_wei: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Reference:
    """A price for orientation. Nothing is ever paid by it, and the chain cannot confirm it.

    Attributes:
        currency: three capitals, ISO 4217.
        price: of one whole token.
        source: where the price is from, and as of when.
        token_decimals: one token is 10 to the power of this in wei.
    """

    currency: str
    price: Decimal
    source: str
    token_decimals: int = 18

    def __post_init__(self) -> None:
        code = self.currency
        if not (len(code) == 3 and code.isascii() and code.isalpha() and code.isupper()):
            raise MeteringError(f"{code!r} is not the code of a currency: three capitals")
        if not _is_price(self.price):
            raise MeteringError(
                f"{self.price!r} is not a price: a Decimal from 0 up, no exponent, 18 decimals"
            )
        if not 0 <= self.token_decimals <= 77:
            raise MeteringError(f"a token cannot have {self.token_decimals} decimals")

    def worth(self, amount_wei: int) -> Decimal:
        """Return what an amount would come to, to two decimals."""
        with localcontext(prec=200, rounding=ROUND_HALF_EVEN):
            tokens = Decimal(amount_wei).scaleb(-self.token_decimals)
            return (tokens * self.price).quantize(Decimal("0.01"))


def _is_price(price: object) -> bool:
    if not isinstance(price, Decimal):
        return False
    exponent = price.as_tuple().exponent
    return isinstance(exponent, int) and -18 <= exponent <= 0 <= price < 10**18


# No slots: its bytes, that are signed, hashed and sent, are made once.
@dataclass(frozen=True, kw_only=True)
class Statement:
    """What one organization earned and was paid in a period, in wei of one deployment's token.

    closing = opening + credited + royalties − claimed; `faults` says whether it is so.

    Attributes:
        chain_id, contract: which deployment: chain, and address of the contract that holds escrow.
        organization: its name.
        opening_wei: credited and not claimed before the first block.
        lines: in the order of the chain.
        movements: in the order of the chain.
        closing_wei: credited and not claimed after the last block.
        reference: a price to show beside the amounts, if wanted.
    """

    chain_id: int
    contract: str
    organization: str
    period: Period
    opening_wei: int
    lines: tuple[Line, ...]
    movements: tuple[Movement, ...]
    totals: Totals
    closing_wei: int
    reference: Reference | None = None

    def to_bytes(self) -> bytes:
        """Return the canonical bytes, see `metering.canonical`: the file, and what is signed."""
        return self._bytes

    @cached_property
    def _bytes(self) -> bytes:
        return canonical.to_bytes(self, FORM)

    def digest(self) -> bytes:
        """Return the SHA-256 of the canonical bytes."""
        return hashlib.sha256(self.to_bytes()).digest()
