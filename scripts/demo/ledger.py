"""The demo's own chain, and what is done on it without the marketplace: the sponsor's funding."""

from __future__ import annotations

import time
from pathlib import Path

from contracts import Contracts
from contracts.chain import Chain
from contracts.deployment import deploy
from contracts.embedded import EmbeddedChain
from contracts.messages import Permit, sign
from scripts.demo.parties import Wallet

CAP_WEI = 10**9 * 10**18
_PERMIT_LIFETIME_S = 600


async def start_ledger(chain: EmbeddedChain, folder: Path, treasury: str) -> Contracts:
    """Starts the chain and deploys the contracts, as `swarm-market chain --folder` would."""
    rpc_url = await chain.start(folder / "chain")
    connection = await Chain.connect(rpc_url, "anvil")
    deployment = await deploy(connection, chain.deployer, treasury, "Swarm", CAP_WEI)
    deployment.save(folder / "deployment.json")
    return Contracts.at(connection, deployment)


async def fund(
    contracts: Contracts, run_id: bytes, treasury: Wallet, sponsor: Wallet, amount_wei: int
) -> None:
    """The treasury mints for the sponsor, who pays it all into the run's pool, by permit."""
    await contracts.token.mint(sponsor.address, amount_wei, signer=treasury.signer)
    deadline = int(time.time()) + _PERMIT_LIFETIME_S
    nonce = await contracts.token.nonces(sponsor.address)
    permit = Permit(sponsor.address, contracts.rewards.address, amount_wei, nonce, deadline)
    signature = sign(contracts.domains.token, permit, sponsor.signer)
    await contracts.rewards.fund_with_permit(
        run_id, amount_wei, deadline, signature, signer=sponsor.signer
    )


async def refund(contracts: Contracts, run_id: bytes, sponsor: Wallet) -> None:
    """What was never vested goes back to the sponsor, if there is any."""
    pool = await contracts.rewards.pool(run_id)
    if pool.funded > pool.credited + pool.refunded:
        await contracts.rewards.refund(run_id, signer=sponsor.signer)
