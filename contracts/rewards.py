"""Pools, credits and claims on chain."""

from __future__ import annotations

from dataclasses import dataclass

from contracts.chain import Receipt
from contracts.claims import Claims
from contracts.contract import v_r_s
from contracts.keys import Signer
from contracts.messages import Struct, from_abi
from contracts.solidity import Bool, Bytes32, Uint16, Uint32, Uint64, Uint120, Uint128, Wallet


@dataclass(frozen=True, slots=True)
class Pool(Struct):
    """A run's money, in wei of the reward token."""

    funded: Uint120
    credited: Uint120  # owed or paid to organizations
    closed: Bool
    at_end: Bool  # nothing is paid before it is closed
    claimed: Uint120
    refunded: Uint120
    parties: Uint16
    sponsor: Wallet
    probation: Uint32  # [s] that who joined later than `opened_at` waits to be paid
    opened_at: Uint64  # [unix s]
    agreement: Bytes32


@dataclass(frozen=True, slots=True)
class Account(Struct):
    """An organization's money in a run, in wei of the reward token."""

    accrued: Uint128  # ever credited
    claimed: Uint128  # ever paid


class Rewards(Claims):
    """Escrow, vesting and credit. See IRewards.sol for what each function requires."""

    NAME = "Rewards"

    async def fund(self, run_id: bytes, amount_wei: int, *, signer: Signer) -> Receipt:
        """Adds to a pool from the signer's tokens, which have to be approved before."""
        return await self._write("fund", run_id, amount_wei, signer=signer)

    async def fund_with_permit(
        self, run_id: bytes, amount_wei: int, deadline: int, permit: bytes, *, signer: Signer
    ) -> Receipt:
        """Adds to a pool from the signer's tokens by its signature over a `messages.Permit`."""
        return await self._write(
            "fundWithPermit", run_id, amount_wei, deadline, *v_r_s(permit), signer=signer
        )

    async def refund(self, run_id: bytes, *, signer: Signer) -> Receipt:
        return await self._write("refund", run_id, signer=signer)

    async def training(self) -> str:
        return str(await self._read_one("training"))

    async def pool(self, run_id: bytes) -> Pool:
        return from_abi(Pool, await self._read_one("pool", run_id))

    async def account(self, run_id: bytes, party: int) -> Account:
        return from_abi(Account, await self._read_one("account", run_id, party))

    async def vested(self, run_id: bytes, gain_e9: int, span_e9: int) -> int:
        """Returns the wei of the pool that this gain over this span vests."""
        return int(await self._read_one("vested", run_id, gain_e9, span_e9))
