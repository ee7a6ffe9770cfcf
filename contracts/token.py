"""The reward token on chain: any ERC-20, and what SwarmToken has beyond it."""

from __future__ import annotations

from contracts.chain import Receipt
from contracts.contract import Contract
from contracts.keys import Signer


class SwarmToken(Contract):
    """The reward token. Amounts are in wei of the token."""

    NAME = "SwarmToken"

    async def approve(self, spender: str, amount_wei: int, *, signer: Signer) -> Receipt:
        return await self._write("approve", spender, amount_wei, signer=signer)

    async def transfer(self, to: str, amount_wei: int, *, signer: Signer) -> Receipt:
        return await self._write("transfer", to, amount_wei, signer=signer)

    async def mint(self, to: str, amount_wei: int, *, signer: Signer) -> Receipt:
        """Creates tokens; only who has the role may."""
        return await self._write("mint", to, amount_wei, signer=signer)

    async def name(self) -> str:
        return str(await self._read_one("name"))

    async def symbol(self) -> str:
        return str(await self._read_one("symbol"))

    async def decimals(self) -> int:
        return int(await self._read_one("decimals"))

    async def authority(self) -> str:
        """Returns the address of the roles that say who may mint."""
        return str(await self._read_one("authority"))

    async def cap(self) -> int:
        return int(await self._read_one("cap"))

    async def total_supply(self) -> int:
        return int(await self._read_one("totalSupply"))

    async def balance_of(self, account: str) -> int:
        return int(await self._read_one("balanceOf", account))

    async def allowance(self, owner: str, spender: str) -> int:
        return int(await self._read_one("allowance", owner, spender))

    async def nonces(self, owner: str) -> int:
        """Returns the nonce of the owner's next permit."""
        return int(await self._read_one("nonces", owner))
