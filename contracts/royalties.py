"""Licenses of finished models, and what they earn."""

from __future__ import annotations

from dataclasses import dataclass

from contracts.chain import Receipt
from contracts.claims import Claims
from contracts.contract import v_r_s
from contracts.keys import Signer
from contracts.messages import Pricing, Struct, from_abi, to_abi
from contracts.solidity import Uint64, Uint128
from contracts.votes import Votings, ascending


@dataclass(frozen=True, slots=True)
class Sale(Struct):
    """What a finished run has earned."""

    received: Uint128  # [wei]
    claimed: Uint128  # [wei]
    price: Uint128  # [wei] as last voted
    votes: Uint64  # that carried a price: the nonce of the next `Pricing`
    licenses: Uint64  # sold


class Royalties(Claims):
    """Sells licenses. See IRoyalties.sol for what each function requires."""

    NAME = "Royalties"

    async def set_price(self, pricing: Pricing, votes: Votings, *, signer: Signer) -> Receipt:
        """Posts a price with the signatures of the parties in favor."""
        return await self._write("setPrice", to_abi(pricing), *ascending(votes), signer=signer)

    async def buy(
        self, run_id: bytes, licensee: str, max_price_wei: int, *, signer: Signer
    ) -> Receipt:
        """Buys a license with the signer's tokens, which have to be approved before."""
        return await self._write("buy", run_id, licensee, max_price_wei, signer=signer)

    async def buy_with_permit(
        self,
        run_id: bytes,
        licensee: str,
        max_price_wei: int,
        deadline: int,
        permit: bytes,
        *,
        signer: Signer,
    ) -> Receipt:
        """Buys a license by the signer's signature over a `messages.Permit` of the limit."""
        return await self._write(
            "buyWithPermit",
            run_id,
            licensee,
            max_price_wei,
            deadline,
            *v_r_s(permit),
            signer=signer,
        )

    async def pay(self, run_id: bytes, amount_wei: int, *, signer: Signer) -> Receipt:
        """Pays those who made the model; buys no license."""
        return await self._write("pay", run_id, amount_wei, signer=signer)

    async def pay_with_permit(
        self, run_id: bytes, amount_wei: int, deadline: int, permit: bytes, *, signer: Signer
    ) -> Receipt:
        return await self._write(
            "payWithPermit", run_id, amount_wei, deadline, *v_r_s(permit), signer=signer
        )

    async def training(self) -> str:
        return str(await self._read_one("training"))

    async def rewards(self) -> str:
        return str(await self._read_one("rewards"))

    async def price(self, run_id: bytes) -> int:
        """Returns the wei of one license; zero: not for sale."""
        return int(await self._read_one("price", run_id))

    async def sale(self, run_id: bytes) -> Sale:
        return from_abi(Sale, await self._read_one("sale", run_id))

    async def licensed(self, run_id: bytes, licensee: str) -> int:
        """Returns how many licenses of the run's model somebody holds."""
        return int(await self._read_one("licensed", run_id, licensee))

    async def account(self, run_id: bytes, party: int) -> tuple[int, int]:
        """Returns (entitled, claimed) in wei, of everything that the run has received."""
        entitled_wei, claimed_wei = await self._read("account", run_id, party)
        return int(entitled_wei), int(claimed_wei)
