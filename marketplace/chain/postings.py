"""The kinds of things that are posted on chain for others.

Each knows how to post itself, when it would be too early to, and by which event it shows in the
index that it happened, whoever posted it. All of them carry signatures that the contracts check,
so the relayer needs no role, and a repeated posting is refused.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol, Self

from sqlalchemy.orm import Session

from contracts import Contracts
from contracts.chain import Receipt
from contracts.keys import Signer
from contracts.messages import (
    Agreement,
    Claim,
    Enrollment,
    RunRequest,
    Terms,
    from_json,
    struct_hash,
    to_json,
)
from marketplace.chain.outbox import events_of


@dataclass(frozen=True, slots=True)
class Outcome:
    """The event by which a posting took effect, or `refusal` if another one took its place."""

    transaction: str
    result: dict[str, Any]
    refusal: str = ""


class Posting(Protocol):
    """One thing to post."""

    @property
    def effect(self) -> str:
        """Names what it brings about, the same for everything that brings about the same."""
        ...

    @property
    def agreement_id(self) -> str: ...

    def payload(self) -> dict[str, Any]:
        """The JSON that `read` takes."""
        ...

    @classmethod
    def read(cls, payload: dict[str, Any]) -> Self: ...

    async def too_early(self, contracts: Contracts, now_s: int) -> bool:
        """Whether something else has to happen on chain first."""
        ...

    async def post(self, contracts: Contracts, signer: Signer) -> Receipt: ...

    def outcome(self, session: Session) -> Outcome | None:
        """What the index knows about it."""
        ...


@dataclass(frozen=True, slots=True)
class Activation:
    """Brings an agreement into force."""

    agreement: Agreement
    signatures: tuple[bytes, ...]

    @property
    def agreement_id(self) -> str:
        return "0x" + struct_hash(self.agreement).hex()

    @property
    def effect(self) -> str:
        return f"activate:{self.agreement_id}"

    def payload(self) -> dict[str, Any]:
        signatures = ["0x" + each.hex() for each in self.signatures]
        return {"agreement": to_json(self.agreement), "signatures": signatures}

    @classmethod
    def read(cls, payload: dict[str, Any]) -> Self:
        return cls(
            from_json(Agreement, payload["agreement"]),
            tuple(_bytes(each) for each in payload["signatures"]),
        )

    async def too_early(self, contracts: Contracts, now_s: int) -> bool:
        return False

    async def post(self, contracts: Contracts, signer: Signer) -> Receipt:
        return await contracts.consortium.activate(self.agreement, self.signatures, signer=signer)

    def outcome(self, session: Session) -> Outcome | None:
        for event in events_of(session, "AgreementActivated", agreement_id=self.agreement_id):
            return Outcome(event.transaction, {"agreement": self.agreement_id})
        return None


@dataclass(frozen=True, slots=True)
class NodeEnrollment:
    """Makes a node a member of the next snapshot."""

    enrollment: Enrollment
    wallet_signature: bytes
    key_signature: bytes

    @property
    def agreement_id(self) -> str:
        return "0x" + self.enrollment.agreement.hex()

    @property
    def effect(self) -> str:
        return f"enroll:{self.agreement_id}:{self.enrollment.key}"

    def payload(self) -> dict[str, Any]:
        return {
            "enrollment": to_json(self.enrollment),
            "wallet_signature": "0x" + self.wallet_signature.hex(),
            "key_signature": "0x" + self.key_signature.hex(),
        }

    @classmethod
    def read(cls, payload: dict[str, Any]) -> Self:
        return cls(
            from_json(Enrollment, payload["enrollment"]),
            _bytes(payload["wallet_signature"]),
            _bytes(payload["key_signature"]),
        )

    async def too_early(self, contracts: Contracts, now_s: int) -> bool:
        # An organization's enrollments are numbered; an earlier one may still wait to be posted.
        if self.enrollment.deadline < now_s:
            return False  # the contract will say so
        nonce = await contracts.consortium.enrollment_nonce(
            self.enrollment.agreement, self.enrollment.party
        )
        return self.enrollment.nonce > nonce

    async def post(self, contracts: Contracts, signer: Signer) -> Receipt:
        return await contracts.consortium.enroll(
            self.enrollment, self.wallet_signature, self.key_signature, signer=signer
        )

    def outcome(self, session: Session) -> Outcome | None:
        for event in events_of(session, "NodeEnrolled", agreement_id=self.agreement_id):
            if event.data["key"] == self.enrollment.key:
                shown = ("registration", "spiffe_id", "version")
                return Outcome(event.transaction, {name: event.data[name] for name in shown})
        return None


@dataclass(frozen=True, slots=True)
class RunCreation:
    """Creates a run under an agreement."""

    request: RunRequest
    terms: Terms
    wallet_signature: bytes
    run_id: str

    @property
    def agreement_id(self) -> str:
        return "0x" + self.request.agreement.hex()

    @property
    def effect(self) -> str:
        return f"create-run:{self.agreement_id}:{self.request.name}:{self.request.generation}"

    def payload(self) -> dict[str, Any]:
        return {
            "request": to_json(self.request),
            "terms": to_json(self.terms),
            "wallet_signature": "0x" + self.wallet_signature.hex(),
            "run": self.run_id,
        }

    @classmethod
    def read(cls, payload: dict[str, Any]) -> Self:
        return cls(
            from_json(RunRequest, payload["request"]),
            from_json(Terms, payload["terms"]),
            _bytes(payload["wallet_signature"]),
            payload["run"],
        )

    async def too_early(self, contracts: Contracts, now_s: int) -> bool:
        return False

    async def post(self, contracts: Contracts, signer: Signer) -> Receipt:
        return await contracts.training.create_run(
            self.request, self.terms, self.wallet_signature, signer=signer
        )

    def outcome(self, session: Session) -> Outcome | None:
        for event in events_of(session, "RunCreated", run_id=self.run_id):
            return Outcome(event.transaction, {"run": self.run_id})
        return None


@dataclass(frozen=True, slots=True)
class RewardClaim:
    """Pays out what an organization has accrued in runs of one agreement.

    Attributes:
        since_block: the last block that was indexed when the claim was handed in.
    """

    claim: Claim
    wallet_signature: bytes
    agreement_id: str
    since_block: int

    @property
    def effect(self) -> str:
        return f"claim:{self.agreement_id}:{self.claim.party}:{self.claim.nonce}"

    def payload(self) -> dict[str, Any]:
        return {
            "claim": to_json(self.claim),
            "wallet_signature": "0x" + self.wallet_signature.hex(),
            "agreement": self.agreement_id,
            "since_block": self.since_block,
        }

    @classmethod
    def read(cls, payload: dict[str, Any]) -> Self:
        return cls(
            from_json(Claim, payload["claim"]),
            _bytes(payload["wallet_signature"]),
            payload["agreement"],
            payload["since_block"],
        )

    async def too_early(self, contracts: Contracts, now_s: int) -> bool:
        return False

    async def post(self, contracts: Contracts, signer: Signer) -> Receipt:
        return await contracts.rewards.claim(self.claim, self.wallet_signature, signer=signer)

    def outcome(self, session: Session) -> Outcome | None:
        # The events do not tell the nonce. Whoever posted it, and even if by another way: what
        # was due has gone where the claim says. Had it gone elsewhere, the contract would refuse.
        paid = [
            event
            for run in self.claim.run_ids
            for event in events_of(session, "Claimed", run_id="0x" + run.hex())
            if event.block > self.since_block
            and event.data["party"] == self.claim.party
            and event.data["recipient"] == self.claim.recipient
        ]
        if not paid:
            return None
        first = min(paid, key=lambda event: (event.block, event.log_index))
        amount_wei = sum(
            int(each.data["amount"]) for each in paid if each.transaction == first.transaction
        )
        result = {"recipient": self.claim.recipient, "amount": str(amount_wei)}
        return Outcome(first.transaction, result)


KINDS: dict[str, type[Posting]] = {
    "activate": Activation,
    "enroll": NodeEnrollment,
    "create-run": RunCreation,
    "claim": RewardClaim,
}
_NAMES = {posting: kind for kind, posting in KINDS.items()}


def kind_of(posting: Posting) -> str:
    """The name under which the outbox keeps a posting."""
    return _NAMES[type(posting)]


def _bytes(text: str) -> bytes:
    return bytes.fromhex(text.removeprefix("0x"))
