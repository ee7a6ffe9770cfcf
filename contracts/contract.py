"""What the classes of the single contracts have in common."""

from __future__ import annotations

import copy
from dataclasses import replace
from typing import Any, ClassVar, Self

import eth_abi.exceptions

from contracts.abi import interface
from contracts.chain import Chain, Receipt
from contracts.errors import NotDeployed
from contracts.keys import Signer
from contracts.kinds import checksum_address
from contracts.messages import Domain
from contracts.transactions import Call


def v_r_s(signature: bytes) -> tuple[int, bytes, bytes]:
    """A signature over a `messages.Permit` in the form that ERC-2612 takes."""
    return signature[64], signature[:32], signature[32:64]


class Contract:
    """A contract at an address. Methods without `signer` read; those with one post and wait.

    All may raise ChainUnreachable, ChainRefused and ContractReverted; those that post
    TransactionTimeout too.
    """

    NAME: ClassVar[str]

    def __init__(self, chain: Chain, address: str) -> None:
        self.chain = chain
        self.address = checksum_address(address)
        self.domain = Domain(chain.chain_id, self.address)
        self._block: int | None = None

    def at_block(self, block: int) -> Self:
        """Returns the same contract as it was at the end of that block, to read from."""
        earlier = copy.copy(self)
        earlier._block = block
        return earlier

    def call(self, function: str, *arguments: Any) -> Call:
        """Returns the encoded call, for `Chain.transact`."""
        encoded = interface(self.NAME).functions[function].encode(arguments)
        return Call(self.address, encoded, f"{self.NAME}.{function}")

    async def _read(self, function: str, *arguments: Any) -> tuple[Any, ...]:
        answer = await self.chain.read(self.call(function, *arguments), self._block)
        try:
            return interface(self.NAME).functions[function].outputs.decode(answer)
        except eth_abi.exceptions.DecodingError as error:
            raise NotDeployed(
                f"{self.address} did not answer like the contract {self.NAME}",
                hint="check the deployment file, and that the chain is the one it was made for",
            ) from error

    async def _read_one(self, function: str, *arguments: Any) -> Any:
        (value,) = await self._read(function, *arguments)
        return value

    async def _write(
        self, function: str, *arguments: Any, signer: Signer, value_wei: int = 0
    ) -> Receipt:
        call = replace(self.call(function, *arguments), value_wei=value_wei)
        return await self.chain.transact(call, signer)
