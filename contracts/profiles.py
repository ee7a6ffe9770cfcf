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


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """One kind of network. None is asked for `finalized` or `safe`, which some of them refuse.

    Attributes:
        name: as settings write it.
        clients: how the endpoint's web3_clientVersion begins, in lower case.
        finality_depth: [blocks] on top of a block before it is taken as final.
        gas_free: transactions offer nothing for gas, so accounts need no funds.
        proof_of_authority: block headers carry more than 32 bytes of extra data.
        receipt_poll_s: pause between two looks for a receipt.
        receipt_timeout_s: after which a transaction counts as lost or stuck.
        log_range: [blocks] asked for in one eth_getLogs.
        post_stagger_s: between the turns of those who may all post the same: longer than a block
            takes to come and to be seen, or the second one posts too, for nothing.
    """

    name: str
    clients: tuple[str, ...]
    finality_depth: int
    gas_free: bool
    proof_of_authority: bool
    receipt_poll_s: float
    receipt_timeout_s: float
    log_range: int
    post_stagger_s: float

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


ANVIL: Final = Profile(
    name="anvil",
    clients=("anvil/",),
    finality_depth=0,
    gas_free=True,
    proof_of_authority=False,
    receipt_poll_s=0.01,
    receipt_timeout_s=30.0,
    log_range=10_000,
    post_stagger_s=1.0,
)
# Kaia's Istanbul BFT: a block a second, final once it is there.
ISTANBUL: Final = Profile(
    name="istanbul",
    clients=("klaytn/", "kaia/"),
    finality_depth=0,
    gas_free=True,
    proof_of_authority=False,
    receipt_poll_s=0.2,
    receipt_timeout_s=60.0,
    log_range=5_000,
    post_stagger_s=2.5,
)
# Besu's QBFT, as consortia run it: a block in one to two seconds, final once it is there.
QBFT: Final = Profile(
    name="qbft",
    clients=("besu/",),
    finality_depth=0,
    gas_free=True,
    proof_of_authority=True,
    receipt_poll_s=0.2,
    receipt_timeout_s=60.0,
    log_range=5_000,
    post_stagger_s=5.0,
)
# Proof of stake, and whatever else there is: slots of 12 s, two epochs of 32 of them.
ETHEREUM: Final = Profile(
    name="ethereum",
    clients=(),
    finality_depth=64,
    gas_free=False,
    proof_of_authority=False,
    receipt_poll_s=2.0,
    receipt_timeout_s=300.0,
    log_range=2_000,
    post_stagger_s=30.0,
)

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
