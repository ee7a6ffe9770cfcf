"""The books behind the referee: who is counted, and the rows of local metering."""

from __future__ import annotations

from dataclasses import dataclass

from contracts.contract import Contract
from contracts.messages import Struct, Terms, from_abi
from contracts.solidity import Bytes32, Int128, Uint32, Uint64


@dataclass(frozen=True, slots=True)
class Book(Struct):
    """What is on chain of the round that was sealed last; sets as in `contracts.parties`."""

    sealed_hash: Bytes32  # struct hash of what all signed alike; zero: nothing waits for rows
    roster: Uint64  # who has a part in the round; for round 0, is counted
    heard: Uint64  # of these, those whose row is in
    snapshot_version: Uint32
    round: Uint32
    sum: Int128  # [1e-9] of all gains settled so far
    best: Int128  # [1e-9] highest such sum


class Clerk(Contract):
    """Written by Training only. See IClerk.sol."""

    NAME = "Clerk"

    async def training(self) -> str:
        return str(await self._read_one("training"))

    async def consortium(self) -> str:
        return str(await self._read_one("consortium"))

    async def stakes(self) -> str:
        return str(await self._read_one("stakes"))

    async def presence(self) -> str:
        return str(await self._read_one("presence"))

    async def terms(self, run_id: bytes) -> Terms:
        return from_abi(Terms, await self._read_one("terms", run_id))

    async def run_named(self, agreement: bytes, name: str) -> bytes:
        """Returns the id of the latest generation, or 32 zero bytes."""
        return bytes(await self._read_one("runNamed", agreement, name))

    async def run_of(self, agreement: bytes, name: str, generation: int) -> bytes:
        """Returns the id of one generation, or 32 zero bytes."""
        return bytes(await self._read_one("runOf", agreement, name, generation))

    async def quarantined(self, run_id: bytes) -> int:
        """Returns the set of the parties that are left out; see `contracts.parties`."""
        return int(await self._read_one("quarantined", run_id))

    async def conduct(self, run_id: bytes, party: int) -> tuple[tuple[int, ...], int]:
        """Returns (rounds it was struck in, the latest first; end of its quarantine in unix s)."""
        struck_in, until = await self._read("conduct", run_id, party)
        return tuple(each for each in struck_in if each), int(until)

    async def pardon_nonce(self, run_id: bytes) -> int:
        """Returns the nonce of the run's next pardon."""
        return int(await self._read_one("pardonNonce", run_id))

    async def book(self, run_id: bytes) -> Book:
        return from_abi(Book, await self._read_one("book", run_id))

    async def waiting(self, run_id: bytes) -> tuple[bool, bool]:
        """Returns (a round waits to be settled, no row of it is missing)."""
        waits, complete = await self._read("waiting", run_id)
        return bool(waits), bool(complete)
