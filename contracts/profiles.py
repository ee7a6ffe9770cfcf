"""What differs between the networks that the contracts run on. One profile each."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from web3 import AsyncWeb3
from web3.middleware import ExtraDataToPOAMiddleware

from contracts.errors import ChainError


@dataclass(frozen=True, slots=True)
class Fees:
    """What a transaction offers, in wei for one gas (EIP-1559)."""

    most_wei: int
    tip_wei: int


@dataclass(frozen=True, slots=True)
class Profile:
    """One kind of network.

    Attributes:
        name: as settings write it.
        clients: how the endpoint's web3_clientVersion begins, in lower case.
        finality_depth: [blocks] on top of a block before it is taken as final.
        gas_free: transactions offer nothing for gas, so accounts need no funds.
        proof_of_authority: block headers carry more than 32 bytes of extra data.
        receipt_poll_s: pause between two looks for a receipt.
        receipt_timeout_s: after which a transaction counts as lost or stuck.
        log_range: [blocks] asked for in one eth_getLogs.
    """

    name: str
    clients: tuple[str, ...]
    finality_depth: int
    gas_free: bool
    proof_of_authority: bool
    receipt_poll_s: float
    receipt_timeout_s: float
    log_range: int

    @property
    def middleware(self) -> list[Any]:
        """All the web3 middleware there is: the usual ones only cost time here."""
        return [ExtraDataToPOAMiddleware] if self.proof_of_authority else []

    async def fees(self, web3: AsyncWeb3[Any]) -> Fees:
        """What to offer now: nothing, or twice the base fee (six full blocks' rise) and a tip."""
        if self.gas_free:
            return Fees(0, 0)
        tip_wei = await web3.eth.max_priority_fee
        base_wei = (await web3.eth.get_block("latest")).get("baseFeePerGas", 0)
        return Fees(2 * base_wei + tip_wei, tip_wei)


ANVIL: Final = Profile("anvil", ("anvil/",), 0, True, False, 0.01, 30.0, 10_000)
# Kaia's Istanbul BFT: a block is final once it is there.
ISTANBUL: Final = Profile("istanbul", ("klaytn/", "kaia/"), 0, True, False, 0.2, 60.0, 5_000)
QBFT: Final = Profile("qbft", ("besu/",), 0, True, True, 0.2, 60.0, 5_000)
# Two epochs of 32 slots.
ETHEREUM: Final = Profile("ethereum", (), 64, False, False, 2.0, 300.0, 2_000)

PROFILES: Final = {each.name: each for each in (ANVIL, ISTANBUL, QBFT, ETHEREUM)}


def profile_for(name: str, client_version: str) -> Profile:
    """Returns the profile of that name; for ``auto`` the one that the client's version tells.

    Raises:
        ChainError: no profile has that name.
    """
    if name == "auto":
        version = client_version.lower()
        return next(
            (each for each in PROFILES.values() if version.startswith(each.clients)), ETHEREUM
        )
    try:
        return PROFILES[name]
    except KeyError as error:
        raise ChainError(
            f"there is no chain profile {name!r}", hint=f"one of: auto, {', '.join(PROFILES)}"
        ) from error
