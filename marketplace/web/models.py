"""What the API answers with. Amounts are wei in decimals, losses are in 1e-9, times unix seconds.

Fields may be added to an answer without notice; none is taken away.
"""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, Field


class Shown(BaseModel):
    """An answer."""

    model_config = ConfigDict(extra="allow")


class Problem(BaseModel):
    """What went wrong (RFC 9457)."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "type": "urn:swarm-market:problem:not-found",
                "title": "not found",
                "status": 404,
                "detail": "you take part in no agreement 0x3f…",
                "hint": "swarm-market agreement list",
            }
        }
    )

    type: str
    title: str
    status: int
    detail: str = ""
    hint: str = Field(default="", description="what to do about it")


class Challenge(Shown):
    message: str = Field(description="EIP-4361; to be signed by the wallet (EIP-191)")


class Session(Shown):
    token: str = Field(description="goes into `Authorization: Bearer …`")
    expires: int


class WhoAmI(Shown):
    wallet: str
    admin: bool
    role: str = Field(description="admin, auditor, operator or owner")


class Deployment(Shown):
    """Where the contracts are: an address under the name of each, and the chain."""

    chain_id: int
    rpc_url: str


class Health(Shown):
    status: str
    block: int = Field(description="the last one that was read; -1 before the first")


class Operation(Shown):
    """Something that is posted on chain for somebody."""

    id: str
    kind: str
    state: str = Field(description="queued, sent, confirmed or failed")
    agreement: str
    transaction: str | None
    error: str | None
    hint: str | None
    result: dict[str, Any] | None
    created_s: int
    updated_s: int


class Queued(Shown):
    operation: Operation


class PartyShown(Shown):
    party: int
    organization: str
    wallet: str
    weight: int
    signed_s: int | None


class AgreementLine(Shown):
    """An agreement on one line of a list."""

    id: str
    title: str
    state: str = Field(description="draft, signing, activating, active, failed, …")
    document_sha256: str
    trust_domain: str
    not_before_s: int
    not_after_s: int
    parties: list[PartyShown]
    operation: Operation | None
    created_s: int


class Agreement(AgreementLine):
    document: str = Field(description="the text, in Markdown")
    fields: dict[str, Any]
    agreement: dict[str, Any] = Field(description="the message that the parties sign")
    typed_data: dict[str, Any] = Field(description="the same, for eth_signTypedData_v4")


class EnrollmentToken(Shown):
    token: str = Field(description="shown this once; goes to `swarm-node enroll`")
    expires_s: int
    spiffe_id: str


class Enrollment(Shown):
    """A node that used its token."""

    id: str
    agreement: str
    organization: str
    node: str
    spiffe_id: str
    key: str
    url: str
    may_lead: bool
    state: str
    message: dict[str, Any]
    typed_data: dict[str, Any]
    operation: Operation | None
    created_s: int


class Node(Shown):
    """A node as the chain has it, with what it said last."""

    agreement: str
    registration: int
    party: int
    organization: str
    node: str
    spiffe_id: str
    key: str
    url: str
    retired: bool
    transaction: str
    heard_s: int | None
    silent: bool
    status: dict[str, Any]


class RunNote(Shown):
    """What people wrote about a run."""

    project: str
    description: str
    tags: list[str]
    hyperparameters: dict[str, Any]
    updated_by: str | None
    updated_s: int | None


class Difference(Shown):
    """Something in which runs differ, and what each of them has."""

    name: str
    values: list[Any]


class Run(Shown):
    id: str
    name: str
    generation: int = Field(description="1, or more where a finished run was begun anew")
    agreement: str
    agreement_title: str
    state: str = Field(
        description="open, settling (no round follows, the last is not paid yet) or finished"
    )
    ending: str | None
    round: int | None
    sealed_rounds: int
    max_rounds: int
    metering: str
    initial_loss_e9: int | None
    target_loss_e9: int
    best_loss_e9: int | None
    last_loss_e9: int | None
    last_metric_e9: int | None
    merged_root: str | None
    gain_ppm: int
    funded_wei: str
    vested_wei: str
    credited_wei: str
    block: int
    transaction: str


class ComparedRun(Run):
    losses_e9: list[int] = Field(description="at most 200, the first and the last among them")
    loss_rounds: list[int] = Field(description="the rounds that these losses are of")


class Comparison(Shown):
    runs: list[ComparedRun]
    differences: list[Difference]
    best: str | None = Field(description="id of the best run, if they watch the same quantity")


class RoundShare(Shown):
    party: int
    organization: str
    share_bips: int


class Reject(Shown):
    spiffe_id: str
    reason: str


class Round(Shown):
    """A sealed round."""

    round: int
    term: int
    leader: str | None
    loss_before_e9: int
    loss_after_e9: int
    metric_e9: int
    merged_root: str
    shares: list[RoundShare]
    rejects: list[Reject]
    signers: list[str]
    credited_wei: str
    transaction: str
    block: int
    prev: str


class EarnedInRound(Shown):
    round: int
    share_bips: int
    amount_wei: str


class Credit(EarnedInRound):
    """What a round credited to one organization."""

    party: int
    organization: str
    transaction: str
    block: int


class Earner(Shown):
    party: int
    organization: str
    wallet: str
    credited_wei: str
    claimed_wei: str
    claimable_wei: str
    equal_wei: str = Field(description="had each round been split equally")
    size_wei: str | None = Field(description="had it been split by samples, if all say theirs")
    samples: int | None
    rounds: list[EarnedInRound] = Field(description="of the last rounds; all: …/credits")


class Earnings(Shown):
    run: str
    metering: str
    funded_wei: str
    vested_wei: str
    credited_wei: str
    organizations: list[Earner]


class UsageOfRun(Shown):
    """What a run cost its nodes, by their own word."""

    run: str
    note: str
    total: dict[str, Any]
    organizations: list[dict[str, Any]]


class UsageReport(Shown):
    node: str = Field(description="SPIFFE ID")
    usage: str = Field(description="canonical JSON: the text that is signed")
    signature: str
    key: str
    received_s: int


class PreparedClaim(Shown):
    claim: dict[str, Any]
    typed_data: dict[str, Any]
    amount_wei: str


class PreparedRun(Shown):
    """What a party has to sign to begin a run."""

    request: dict[str, Any]
    terms: dict[str, Any] = Field(description="those in force, which the run will have")
    typed_data: dict[str, Any]
    generation: int = Field(description="1, or one more than the finished run of this name")
    effect: str


class Transaction(Shown):
    """One that the payer's own wallet sends."""

    to: str
    data: str
    what: str


class Funding(Shown):
    """What it takes to add to the pool of a run."""

    run: str
    chain_id: int
    payer: str
    amount_wei: str
    balance_wei: str = Field(description="what the payer has")
    transactions: list[Transaction] = Field(description="in this order, one after the other")
    effect: str
