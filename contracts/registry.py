"""Which contracts make up which version, and who may publish one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from contracts.chain import Receipt
from contracts.contract import Contract
from contracts.keys import Signer
from contracts.messages import Struct, from_abi, to_abi
from contracts.solidity import Bytes32, String, Uint64, Wallet


@dataclass(frozen=True, slots=True)
class Entry(Struct):
    """A contract of a version."""

    name: String  # as in its source
    location: Wallet


@dataclass(frozen=True, slots=True)
class Version(Struct):
    """What was published."""

    name: String
    document: Bytes32  # SHA-256 of what describes it
    published_at: Uint64  # [unix s]
    retired: String  # why it should not be used for anything new; empty while it may
    contracts: tuple[Entry, ...]


class Registry(Contract):
    """A list of versions. See IRegistry.sol for what each function requires."""

    NAME = "Registry"

    async def publish(
        self, name: str, document: bytes, contracts: Sequence[Entry], *, signer: Signer
    ) -> Receipt:
        entries = [to_abi(each) for each in contracts]
        return await self._write("publish", name, document, entries, signer=signer)

    async def retire(self, index: int, reason: str, *, signer: Signer) -> Receipt:
        return await self._write("retire", index, reason, signer=signer)

    async def count(self) -> int:
        return int(await self._read_one("count"))

    async def version(self, index: int) -> Version:
        return from_abi(Version, await self._read_one("version", index))

    async def latest(self) -> tuple[int, Version]:
        """Returns (index, version) of the last one that is not retired."""
        index, version = await self._read("latest")
        return int(index), from_abi(Version, version)

    async def authority(self) -> str:
        """Returns the address of the roles that it asks."""
        return str(await self._read_one("authority"))
