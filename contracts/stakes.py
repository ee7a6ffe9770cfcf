"""What organizations stake on their nodes' honesty."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

from contracts.chain import Receipt
from contracts.contract import Contract, v_r_s
from contracts.keys import Signer
from contracts.messages import (
    Attestation,
    Roster,
    Struct,
    Unlocking,
    Update,
    from_abi,
    to_abi,
)
from contracts.solidity import Uint32, Uint64, Uint128, Wallet

# A message and its signature.
SignedUpdate = tuple[Update, bytes]
SignedRoster = tuple[Roster, bytes]
SignedAttestation = tuple[Attestation, bytes]


class Kind(IntEnum):
    """What a contradiction is made of."""

    UPDATE = 0
    ROSTER = 1
    ATTESTATION = 2


@dataclass(frozen=True, slots=True)
class Stake(Struct):
    """A party's stake, in wei of the reward token."""

    locked: Uint128
    leaving: Uint128  # under notice: counts no more, may be lost still
    recipient: Wallet  # of what is leaving
    leaves_at: Uint64  # [unix s] after which it may be withdrawn
    nonce: Uint32


class Stakes(Contract):
    """Stakes and their loss. See IStakes.sol for what each function requires."""

    NAME = "Stakes"

    async def deposit(
        self, agreement: bytes, party: int, amount_wei: int, *, signer: Signer
    ) -> Receipt:
        """Adds to a stake from the signer's tokens, which have to be approved before."""
        return await self._write("deposit", agreement, party, amount_wei, signer=signer)

    async def deposit_with_permit(
        self,
        agreement: bytes,
        party: int,
        amount_wei: int,
        deadline: int,
        permit: bytes,
        *,
        signer: Signer,
    ) -> Receipt:
        """Adds to a stake by the signer's signature over a `messages.Permit`."""
        return await self._write(
            "depositWithPermit",
            agreement,
            party,
            amount_wei,
            deadline,
            *v_r_s(permit),
            signer=signer,
        )

    async def unlock(
        self, unlocking: Unlocking, wallet_signature: bytes, *, signer: Signer
    ) -> Receipt:
        return await self._write("unlock", to_abi(unlocking), wallet_signature, signer=signer)

    async def withdraw(self, agreement: bytes, party: int, *, signer: Signer) -> Receipt:
        return await self._write("withdraw", agreement, party, signer=signer)

    async def slash_updates(
        self, training: str, registration: int, a: SignedUpdate, b: SignedUpdate, *, signer: Signer
    ) -> Receipt:
        """Proves that a node signed two different updates for one round."""
        return await self._slash("slashUpdates", training, registration, a, b, signer)

    async def slash_rosters(
        self, training: str, registration: int, a: SignedRoster, b: SignedRoster, *, signer: Signer
    ) -> Receipt:
        """Proves that a node signed two different rosters in one term."""
        return await self._slash("slashRosters", training, registration, a, b, signer)

    async def slash_attestations(
        self,
        training: str,
        registration: int,
        a: SignedAttestation,
        b: SignedAttestation,
        *,
        signer: Signer,
    ) -> Receipt:
        """Proves that a node signed two different attestations in one term."""
        return await self._slash("slashAttestations", training, registration, a, b, signer)

    async def _slash(
        self,
        function: str,
        training: str,
        registration: int,
        a: tuple[Struct, bytes],
        b: tuple[Struct, bytes],
        signer: Signer,
    ) -> Receipt:
        messages, signatures = [to_abi(each) for each, _ in (a, b)], [each for _, each in (a, b)]
        return await self._write(
            function, training, registration, *messages, *signatures, signer=signer
        )

    async def collect(self, recipient: str, *, signer: Signer) -> Receipt:
        """Sends to the recipient what it is owed from penalties."""
        return await self._write("collect", recipient, signer=signer)

    async def recount(self, agreement: bytes, *, signer: Signer) -> Receipt:
        """Needed only after an amendment changed the minimum."""
        return await self._write("recount", agreement, signer=signer)

    async def token(self) -> str:
        return str(await self._read_one("token"))

    async def consortium(self) -> str:
        return str(await self._read_one("consortium"))

    async def staked(self, agreement: bytes) -> int:
        """Returns the set of the parties that have the minimum stake; see `contracts.parties`."""
        return int(await self._read_one("staked", agreement))

    async def stake(self, agreement: bytes, party: int) -> Stake:
        return from_abi(Stake, await self._read_one("stake", agreement, party))

    async def owed(self, recipient: str) -> int:
        """Returns the wei from penalties that it can collect."""
        return int(await self._read_one("owed", recipient))

    async def proven(
        self, kind: Kind, run_id: bytes, round: int, prev: bytes, term: int, registration: int
    ) -> bool:
        """Returns whether this contradiction was proven; the term of updates is zero."""
        return bool(
            await self._read_one("proven", int(kind), run_id, round, prev, term, registration)
        )
