"""Postings by which parties govern themselves: amendments, votes, and what a party does alone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Self

from sqlalchemy.orm import Session

from contracts import Contracts
from contracts.chain import Receipt
from contracts.keys import Signer
from contracts.messages import (
    Agreement,
    Leaving,
    Motion,
    Move,
    Pardon,
    Retirement,
    Struct,
    Veto,
    from_json,
    struct_hash,
    to_json,
)
from marketplace.chain.outbox import events_of
from marketplace.chain.postings import Outcome, Posting
from marketplace.storage.models import Event


class _Ready:
    """What may be posted as soon as it is there."""

    __slots__ = ()

    async def too_early(self, contracts: Contracts, now_s: int) -> bool:
        return False


@dataclass(frozen=True, slots=True)
class Amendment(_Ready):
    """Brings the next version of an agreement into force."""

    agreement: Agreement
    signatures: tuple[bytes, ...]

    @property
    def agreement_id(self) -> str:
        return "0x" + self.agreement.previous.hex()

    @property
    def effect(self) -> str:
        return f"amend:{self.agreement_id}:0x{struct_hash(self.agreement).hex()}"

    def payload(self) -> dict[str, Any]:
        return {
            "agreement": to_json(self.agreement),
            "signatures": ["0x" + each.hex() for each in self.signatures],
        }

    @classmethod
    def read(cls, payload: dict[str, Any]) -> Self:
        signatures = tuple(_bytes(each) for each in payload["signatures"])
        return cls(from_json(Agreement, payload["agreement"]), signatures)

    async def post(self, contracts: Contracts, signer: Signer) -> Receipt:
        return await contracts.consortium.activate(self.agreement, self.signatures, signer=signer)

    def outcome(self, session: Session) -> Outcome | None:
        own = "0x" + struct_hash(self.agreement).hex()
        for event in events_of(session, "AgreementAmended", agreement_id=self.agreement_id):
            if event.data["version"] != self.agreement.version:
                continue
            taken = event.data["agreement_hash"]
            refusal = "" if taken == own else f"another amendment came first: {taken}"
            return Outcome(event.transaction, {"version": self.agreement.version}, refusal)
        return None


@dataclass(frozen=True, slots=True)
class Decision(_Ready):
    """Carries a motion, with the votes for it by party."""

    motion: Motion
    votes: tuple[tuple[int, bytes], ...]

    @property
    def agreement_id(self) -> str:
        return "0x" + self.motion.agreement.hex()

    @property
    def effect(self) -> str:
        return f"decide:{self.agreement_id}:{self.motion.nonce}"

    def payload(self) -> dict[str, Any]:
        return {"motion": to_json(self.motion), "votes": _votes(self.votes)}

    @classmethod
    def read(cls, payload: dict[str, Any]) -> Self:
        return cls(from_json(Motion, payload["motion"]), _read_votes(payload["votes"]))

    async def post(self, contracts: Contracts, signer: Signer) -> Receipt:
        return await contracts.council.decide(self.motion, dict(self.votes), signer=signer)

    def outcome(self, session: Session) -> Outcome | None:
        for event in events_of(session, "Decided", agreement_id=self.agreement_id):
            if int(event.data["nonce"]) != self.motion.nonce:
                continue
            said = (event.data["action"], event.data["party"], event.data["wallet"])
            ours = (self.motion.action, self.motion.party, self.motion.wallet)
            refusal = "" if said == ours else "another motion was carried first"
            return Outcome(event.transaction, {"nonce": self.motion.nonce}, refusal)
        return None


@dataclass(frozen=True, slots=True)
class Pardoning(_Ready):
    """Lets a quarantined organization back into a run."""

    pardon: Pardon
    votes: tuple[tuple[int, bytes], ...]
    agreement_id: str

    @property
    def effect(self) -> str:
        return f"pardon:0x{self.pardon.run_id.hex()}:{self.pardon.nonce}"

    def payload(self) -> dict[str, Any]:
        return {
            "pardon": to_json(self.pardon),
            "votes": _votes(self.votes),
            "agreement": self.agreement_id,
        }

    @classmethod
    def read(cls, payload: dict[str, Any]) -> Self:
        votes = _read_votes(payload["votes"])
        return cls(from_json(Pardon, payload["pardon"]), votes, payload["agreement"])

    async def post(self, contracts: Contracts, signer: Signer) -> Receipt:
        return await contracts.training.pardon(self.pardon, dict(self.votes), signer=signer)

    def outcome(self, session: Session) -> Outcome | None:
        for event in events_of(session, "Pardoned", run_id="0x" + self.pardon.run_id.hex()):
            if int(event.data["nonce"]) == self.pardon.nonce:
                other = event.data["party"] != self.pardon.party
                refusal = "another organization was pardoned first" if other else ""
                return Outcome(event.transaction, {"party": self.pardon.party}, refusal)
        return None


@dataclass(frozen=True, slots=True)
class Departure(_Ready):
    """Takes a party out, as it wishes."""

    message: Leaving
    signature: bytes

    @property
    def agreement_id(self) -> str:
        return "0x" + self.message.agreement.hex()

    @property
    def effect(self) -> str:
        return f"leave:{self.agreement_id}:{self.message.party}"

    def payload(self) -> dict[str, Any]:
        return _signed(self.message, self.signature)

    @classmethod
    def read(cls, payload: dict[str, Any]) -> Self:
        return cls(from_json(Leaving, payload["message"]), _bytes(payload["signature"]))

    async def post(self, contracts: Contracts, signer: Signer) -> Receipt:
        return await contracts.consortium.leave_agreement(
            self.message, self.signature, signer=signer
        )

    def outcome(self, session: Session) -> Outcome | None:
        for event in events_of(session, "PartyOut", agreement_id=self.agreement_id):
            if event.data["party"] == self.message.party:
                return Outcome(event.transaction, {"party": self.message.party})
        return None


@dataclass(frozen=True, slots=True)
class NodeRetirement(_Ready):
    """Takes a node out of the next snapshot."""

    message: Retirement
    signature: bytes

    @property
    def agreement_id(self) -> str:
        return "0x" + self.message.agreement.hex()

    @property
    def effect(self) -> str:
        return f"retire:{self.agreement_id}:{self.message.registration}"

    def payload(self) -> dict[str, Any]:
        return _signed(self.message, self.signature)

    @classmethod
    def read(cls, payload: dict[str, Any]) -> Self:
        return cls(from_json(Retirement, payload["message"]), _bytes(payload["signature"]))

    async def post(self, contracts: Contracts, signer: Signer) -> Receipt:
        return await contracts.consortium.retire(self.message, self.signature, signer=signer)

    def outcome(self, session: Session) -> Outcome | None:
        for event in events_of(session, "NodeRetired", agreement_id=self.agreement_id):
            if event.data["registration"] == self.message.registration:
                return Outcome(event.transaction, {"registration": self.message.registration})
        return None


@dataclass(frozen=True, slots=True)
class WalletMove(_Ready):
    """Changes a party's wallet at once; both wallets signed."""

    message: Move
    signature: bytes
    new_signature: bytes

    @property
    def agreement_id(self) -> str:
        return "0x" + self.message.agreement.hex()

    @property
    def effect(self) -> str:
        return f"wallet:{self.agreement_id}:{self.message.party}:{self.message.nonce}"

    def payload(self) -> dict[str, Any]:
        new = {"new_signature": "0x" + self.new_signature.hex()}
        return _signed(self.message, self.signature) | new

    @classmethod
    def read(cls, payload: dict[str, Any]) -> Self:
        return cls(
            from_json(Move, payload["message"]),
            _bytes(payload["signature"]),
            _bytes(payload["new_signature"]),
        )

    async def post(self, contracts: Contracts, signer: Signer) -> Receipt:
        return await contracts.council.move_wallet(
            self.message, self.signature, self.new_signature, signer=signer
        )

    def outcome(self, session: Session) -> Outcome | None:
        event = _wallet_change(session, self.agreement_id, self.message.party, self.message.nonce)
        if event is None:
            return None
        ours = event.data["wallet"] == self.message.wallet
        refusal = "" if ours else "the wallet was changed otherwise first"
        return Outcome(event.transaction, {"wallet": self.message.wallet}, refusal)


@dataclass(frozen=True, slots=True)
class WalletVeto(_Ready):
    """Stops the replacement of a wallet that is not lost."""

    message: Veto
    signature: bytes

    @property
    def agreement_id(self) -> str:
        return "0x" + self.message.agreement.hex()

    @property
    def effect(self) -> str:
        return f"wallet:{self.agreement_id}:{self.message.party}:{self.message.nonce}"

    def payload(self) -> dict[str, Any]:
        return _signed(self.message, self.signature)

    @classmethod
    def read(cls, payload: dict[str, Any]) -> Self:
        return cls(from_json(Veto, payload["message"]), _bytes(payload["signature"]))

    async def post(self, contracts: Contracts, signer: Signer) -> Receipt:
        return await contracts.council.veto(self.message, self.signature, signer=signer)

    def outcome(self, session: Session) -> Outcome | None:
        event = _wallet_change(session, self.agreement_id, self.message.party, self.message.nonce)
        if event is None:
            return None
        vetoed = events_of(session, "Vetoed", agreement_id=self.agreement_id)
        ours = any(each.transaction == event.transaction for each in vetoed)
        refusal = "" if ours else "the wallet was changed otherwise first"
        return Outcome(event.transaction, {"wallet": self.message.wallet}, refusal)


KINDS: dict[str, type[Posting]] = {
    "amend": Amendment,
    "decide": Decision,
    "pardon": Pardoning,
    "leave": Departure,
    "retire": NodeRetirement,
    "move-wallet": WalletMove,
    "veto": WalletVeto,
}


def _wallet_change(session: Session, agreement_id: str, party: int, nonce: int) -> Event | None:
    """The change that used up a party's wallet nonce: each move, veto and vote makes one."""
    changes = [
        event
        for event in events_of(session, "WalletChanged", agreement_id=agreement_id)
        if event.data["party"] == party
    ]
    return changes[nonce] if nonce < len(changes) else None


def _signed(message: Struct, signature: bytes) -> dict[str, Any]:
    return {"message": to_json(message), "signature": "0x" + signature.hex()}


def _votes(votes: tuple[tuple[int, bytes], ...]) -> list[list[Any]]:
    return [[party, "0x" + signature.hex()] for party, signature in votes]


def _read_votes(written: list[list[Any]]) -> tuple[tuple[int, bytes], ...]:
    return tuple((party, _bytes(signature)) for party, signature in written)


def _bytes(text: str) -> bytes:
    return bytes.fromhex(text.removeprefix("0x"))
