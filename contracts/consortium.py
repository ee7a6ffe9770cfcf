"""Agreements, parties and nodes on chain."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum

from contracts.chain import Receipt
from contracts.contract import Contract
from contracts.keys import Signer
from contracts.messages import (
    Agreement,
    Bylaws,
    Enrollment,
    Leaving,
    Party,
    Retirement,
    Struct,
    Terms,
    from_abi,
    to_abi,
)
from contracts.solidity import Bool, Bytes32, String, Uint16, Uint32, Uint64, Wallet


@dataclass(frozen=True, slots=True)
class Registration:
    """One stay of one key, from snapshot `since` until before snapshot `until` (0: it stays)."""

    number: int
    key: str
    party: int
    may_lead: bool
    since: int
    until: int
    spiffe_id: str
    url: str

    def belongs(self, version: int) -> bool:
        """Whether it is part of that snapshot."""
        return self.since <= version and (self.until == 0 or version < self.until)


@dataclass(frozen=True, slots=True)
class _Registration(Struct):
    key: Wallet
    party: Uint16
    may_lead: Bool
    since: Uint32
    until: Uint32
    spiffe_id: String
    url: String


@dataclass(frozen=True, slots=True)
class Snapshot(Struct):
    """The membership after `version` changes; `root` is the hash chain over them."""

    version: Uint32
    active: Uint64  # set of the parties with a node; see `contracts.parties`
    root: Bytes32


class State(IntEnum):
    """Of an agreement."""

    NONE = 0
    OFFERED = 1  # signed on chain by some
    SIGNED = 2  # by all, and not begun
    ACTIVE = 3
    AMENDING = 4  # active, while an amendment has some signatures
    SUSPENDED = 5
    TERMINATED = 6
    EXPIRED = 7


class Consortium(Contract):
    """Who takes part. See IConsortium.sol for what each function requires."""

    NAME = "Consortium"

    async def activate(
        self, agreement: Agreement, signatures: Sequence[bytes], *, signer: Signer
    ) -> Receipt:
        return await self._write("activate", to_abi(agreement), list(signatures), signer=signer)

    async def sign(
        self, agreement: Agreement, party: int, signature: bytes, *, signer: Signer
    ) -> Receipt:
        """Posts one party's signature; the last one brings the agreement into force."""
        return await self._write("sign", to_abi(agreement), party, signature, signer=signer)

    async def leave_agreement(
        self, leaving: Leaving, wallet_signature: bytes, *, signer: Signer
    ) -> Receipt:
        return await self._write("leaveAgreement", to_abi(leaving), wallet_signature, signer=signer)

    async def enroll(
        self,
        enrollment: Enrollment,
        wallet_signature: bytes,
        key_signature: bytes,
        *,
        signer: Signer,
    ) -> Receipt:
        return await self._write(
            "enroll", to_abi(enrollment), wallet_signature, key_signature, signer=signer
        )

    async def retire(
        self, retirement: Retirement, wallet_signature: bytes, *, signer: Signer
    ) -> Receipt:
        return await self._write("retire", to_abi(retirement), wallet_signature, signer=signer)

    async def council(self) -> str:
        return str(await self._read_one("council"))

    async def state(self, agreement: bytes) -> State:
        return State(await self._read_one("state", agreement))

    async def signers(self, agreement_hash: bytes) -> int:
        """Returns the set of the parties that signed what not all have signed yet."""
        return int(await self._read_one("signers", agreement_hash))

    async def version(self, agreement: bytes) -> int:
        """Returns 1, and one more for each amendment."""
        return int(await self._read_one("version", agreement))

    async def agreement_hash(self, agreement: bytes) -> bytes:
        """Returns the struct hash of the version in force."""
        return bytes(await self._read_one("agreementHash", agreement))

    async def in_force(self, agreement: bytes) -> bool:
        return bool(await self._read_one("inForce", agreement))

    async def period(self, agreement: bytes) -> tuple[int, int]:
        """Returns (not before, not after) in unix s."""
        not_before, not_after = await self._read("period", agreement)
        return int(not_before), int(not_after)

    async def terms_hash(self, agreement: bytes) -> bytes:
        return bytes(await self._read_one("termsHash", agreement))

    async def hash_terms(self, terms: Terms) -> bytes:
        return bytes(await self._read_one("hashTerms", to_abi(terms)))

    async def bylaws(self, agreement: bytes) -> Bylaws:
        return from_abi(Bylaws, await self._read_one("bylaws", agreement))

    async def unlock_delay(self, agreement: bytes) -> int:
        """Returns the seconds that stake stays locked after notice."""
        return int(await self._read_one("unlockDelay", agreement))

    async def trust_domain(self, agreement: bytes) -> str:
        return str(await self._read_one("trustDomain", agreement))

    async def parties(self, agreement: bytes) -> tuple[Party, ...]:
        return tuple(from_abi(Party, each) for each in await self._read_one("parties", agreement))

    async def wallet(self, agreement: bytes, party: int) -> str:
        return str(await self._read_one("wallet", agreement, party))

    async def replacement(self, agreement: bytes, party: int) -> tuple[str, int]:
        """Returns (the wallet that is to become the party's, when in unix s); zeros if none is."""
        wallet, since = await self._read("replacement", agreement, party)
        return str(wallet), int(since)

    async def party_count(self, agreement: bytes) -> int:
        return int(await self._read_one("partyCount", agreement))

    async def out(self, agreement: bytes) -> int:
        """Returns the set of the parties that left or were removed; see `contracts.parties`."""
        return int(await self._read_one("out", agreement))

    async def is_out(self, agreement: bytes, party: int) -> bool:
        return bool(await self._read_one("isOut", agreement, party))

    async def joined_at(self, agreement: bytes, party: int) -> int:
        """Returns when its first node was enrolled in unix s; zero: never."""
        return int(await self._read_one("joinedAt", agreement, party))

    async def enrollment_nonce(self, agreement: bytes, party: int) -> int:
        return int(await self._read_one("enrollmentNonce", agreement, party))

    async def registrations(self, agreement: bytes) -> tuple[Registration, ...]:
        """Returns every registration ever made; its number is its place."""
        stored = await self._read_one("registrations", agreement)
        return tuple(
            Registration(
                number,
                each.key,
                each.party,
                each.may_lead,
                each.since,
                each.until,
                each.spiffe_id,
                each.url,
            )
            for number, each in enumerate(from_abi(_Registration, values) for values in stored)
        )

    async def member(self, agreement: bytes, registration: int) -> tuple[str, int, int, int]:
        """Returns (key, party, since, until) of one registration; zeros if it is not given yet."""
        key, party, since, until = await self._read("member", agreement, registration)
        return str(key), int(party), int(since), int(until)

    async def latest_snapshot(self, agreement: bytes) -> Snapshot:
        return from_abi(Snapshot, await self._read_one("latestSnapshot", agreement))

    async def snapshot_at(self, agreement: bytes, version: int) -> Snapshot:
        return from_abi(Snapshot, await self._read_one("snapshotAt", agreement, version))

    async def members(
        self, agreement: bytes, version: int, registrations: Sequence[int]
    ) -> tuple[tuple[str, int], ...]:
        """Returns (key, party) of each; refused if one is not part of the snapshot."""
        keys, parties = await self._read("members", agreement, version, list(registrations))
        return tuple(zip(keys, parties, strict=True))
