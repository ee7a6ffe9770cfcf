"""Who is away."""

from __future__ import annotations

from dataclasses import dataclass

from contracts.chain import Receipt
from contracts.contract import Contract
from contracts.keys import Signer
from contracts.messages import Alive, Struct, Suspicion, from_abi, to_abi
from contracts.solidity import Bool, Uint32, Uint48, Uint256, Wallet


@dataclass(frozen=True, slots=True)
class Case(Struct):
    """The latest suspicion of a party."""

    number: Uint32  # how many there were; zero: none yet
    answer_by: Uint48  # [unix s]
    open: Bool  # neither answered nor carried out
    challenger: Wallet  # who posted it
    deposit: Uint256  # [wei of the chain's coin]


class Presence(Contract):
    """Suspicions and signs of life. See IPresence.sol for what each function requires."""

    NAME = "Presence"

    async def suspect(
        self, suspicion: Suspicion, signature: bytes, *, deposit_wei: int, signer: Signer
    ) -> Receipt:
        """Posts a suspicion; the deposit, in the chain's coin, is the signer's."""
        return await self._write(
            "suspect", to_abi(suspicion), signature, signer=signer, value_wei=deposit_wei
        )

    async def alive(
        self, alive: Alive, signature: bytes, *, by_wallet: bool = False, signer: Signer
    ) -> Receipt:
        """Posts a sign of life, signed by the node's key or by its party's wallet."""
        return await self._write("alive", to_abi(alive), by_wallet, signature, signer=signer)

    async def leave_out(self, agreement: bytes, party: int, *, signer: Signer) -> Receipt:
        return await self._write("leaveOut", agreement, party, signer=signer)

    async def collect(self, recipient: str, *, signer: Signer) -> Receipt:
        """Sends to the recipient what it is owed from deposits."""
        return await self._write("collect", recipient, signer=signer)

    async def consortium(self) -> str:
        return str(await self._read_one("consortium"))

    async def answer_gas(self) -> int:
        """Returns the gas that a deposit has to pay for."""
        return int(await self._read_one("ANSWER_GAS"))

    async def away(self, agreement: bytes) -> int:
        """Returns the set of the parties that are left out; see `contracts.parties`."""
        return int(await self._read_one("away", agreement))

    async def suspicion(self, agreement: bytes, party: int) -> Case:
        return from_abi(Case, await self._read_one("suspicion", agreement, party))

    async def owed(self, recipient: str) -> int:
        """Returns the wei of the chain's coin that it can collect."""
        return int(await self._read_one("owed", recipient))
