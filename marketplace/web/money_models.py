"""What the API answers with about statements, books, announcements and webhooks; see `models`."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, Field

from marketplace.web.models import Shown

# In statements, as in all canonical JSON, what a double cannot hold is a decimal in a string.
Amount = int | str


class StatementPeriod(BaseModel):
    """The blocks that a statement covers, both included, and the times that were asked for."""

    first_block: int
    last_block: int
    last_block_hash: str
    begins_s: int
    ends_s: int


class StatementLine(BaseModel):
    """A sealed round: what it was worth to the organization."""

    run: str
    party: int
    round: int
    model: str = Field(description="root of the merged model")
    metered_bips: int | None = Field(description="share by measured contribution")
    equal_bips: int = Field(description="share in an equal split over the roster")
    size_bips: int | None = Field(description="share by samples, the nodes' own word")
    vested_wei: Amount = Field(description="what the round divided between all")
    amount_wei: Amount = Field(description="what the organization was credited of it")
    transaction: str
    block: int


class StatementMovement(BaseModel):
    """Money that moved other than by a round."""

    cause: str = Field(description="claim, royalty, royalty-claim or refund")
    run: str
    amount_wei: Amount
    account: str
    transaction: str
    block: int


class StatementTotals(BaseModel):
    credited_wei: Amount
    royalties_wei: Amount
    claimed_wei: Amount
    refunded_wei: Amount


class StatementReference(BaseModel):
    """A price for orientation: nothing is paid by it."""

    currency: str
    price: str = Field(description="of one whole token")
    source: str
    token_decimals: int


class StatementText(BaseModel):
    format: str
    chain_id: int
    contract: str
    organization: str
    period: StatementPeriod
    opening_wei: Amount
    lines: list[StatementLine]
    movements: list[StatementMovement]
    totals: StatementTotals
    closing_wei: Amount
    reference: StatementReference | None


class SignedStatement(BaseModel):
    """A statement and its signature: canonical JSON, byte for byte what is signed and verified."""

    format: str
    statement: StatementText
    wallet: str = Field(description="one of the organization's: with the name, it says who that is")
    royalties: str = Field(description="address of the contract that licenses are paid to")
    key: str = Field(description="of the issuer: Ed25519, 32 bytes in hexadecimal digits")
    signature: str = Field(description="over all of the others")


class StatementKey(Shown):
    key: str = Field(description="Ed25519, 32 bytes in hexadecimal digits")


class BookDifference(Shown):
    """A figure that the books and the chain do not agree on."""

    what: str
    book_wei: str
    chain_wei: str
    text: str


class Miscount(Shown):
    """An account whose kept balance is not the sum of its postings."""

    account: str
    kept_wei: str
    counted_wei: str


class Reconciliation(Shown):
    """All of the books beside the chain, as of one block."""

    agrees: bool
    chain_id: int
    block: int
    block_hash: str
    runs: int
    accounts: int
    entries: int
    compared: int = Field(description="figures that were looked at")
    differences: list[BookDifference]
    miscounted: list[Miscount]
    strays_wei: dict[str, str] = Field(
        description="by contract: tokens sent to it other than by its functions, in no account"
    )
    given_wei: str
    received_wei: str


class Posting(Shown):
    account: str = Field(description="kind:scope or kind:scope:party; scope: of a run, agreement …")
    amount_wei: str = Field(description="received if positive, given if negative")


class LedgerLine(Shown):
    """What one event moved, or the reversal of that; its postings sum to zero."""

    number: int
    what: str
    reversal: bool
    block: int
    block_hash: str
    log_index: int
    transaction: str
    postings: list[Posting]


class LedgerPiece(Shown):
    items: list[LedgerLine]
    next: int = Field(description="what to give as `after` for those that follow")


class AnnouncementLine(Shown):
    """Something that happened in an agreement."""

    number: int
    kind: str
    agreement: str
    run: str | None
    party: int | None
    time_s: int
    block: int | None
    withdrawn: bool = Field(description="a reorganization took away what it is about")
    data: dict[str, Any] = Field(description="`text` says it in a sentence; amounts end in _wei")


class AnnouncementPiece(Shown):
    items: list[AnnouncementLine]
    next: int = Field(description="what to give as `after` for those that follow")


class NewWebhook(Shown):
    """A webhook that was just made."""

    id: str
    url: str
    kinds: list[str] = Field(description="of announcements; none: all")
    created_s: int
    stopped: bool
    secret: str = Field(description="whsec_…; shown this once")


class Deliveries(Shown):
    """How many announcements are in each state."""

    waiting: int = 0
    delivered: int = 0
    failed: int = 0


class WebhookLine(Shown):
    id: str
    url: str
    kinds: list[str]
    created_s: int
    stopped: bool = Field(description="the receiver answered 410")
    deliveries: Deliveries


class Attempt(Shown):
    """How a test of a webhook went."""

    arrived: bool
    status: int | None = Field(description="of the answer; none: there was none")
    error: str
