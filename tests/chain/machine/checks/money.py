"""Stakes, balances, pools and sales."""

from __future__ import annotations

from collections.abc import Mapping

from contracts.deployment import Contracts
from contracts.parties import party_set
from tests.chain.machine.checks import Check
from tests.chain.machine.model import World
from tests.chain.machine.runs import Run


def of_stakes(contracts: Contracts, world: World, poster: str) -> list[Check]:
    stakes = contracts.stakes

    async def stake(party: int) -> tuple[int, int, int, int]:
        held = await stakes.stake(world.id, party)
        return held.locked, held.leaving, held.leaves_at, held.nonce

    checks: list[Check] = [("staked", stakes.staked(world.id), party_set(world.stakes.staked))]
    for party, held in world.stakes.stakes.items():
        expected = (held.locked, held.leaving, held.leaves_at, held.nonce)
        checks.append((f"stake of {party}", stake(party), expected))
    for address in (poster, world.signed.bylaws.penalty_recipient):
        owed_wei = world.stakes.owed_wei[address]
        checks.append((f"owed to {address}", stakes.owed(address), owed_wei))
    return checks


def of_balances(
    contracts: Contracts, world: World, poster: str, others_wei: Mapping[str, int]
) -> list[Check]:
    purses = [run.purse for run in world.runs.values()]
    sold_wei = sum(each.received_wei - each.royalties_wei.total() for each in purses)
    held_wei = {
        contracts.rewards.address: sum(each.held_wei for each in purses),
        contracts.stakes.address: world.stakes.held_wei,
        contracts.royalties.address: sold_wei,
    }
    for address, wei in others_wei.items():
        held_wei[address] += wei
    return [
        (f"balance of {address}", contracts.token.balance_of(address), wei)
        for address, wei in (held_wei | world.balances_wei).items()
        if address != poster  # pays for everything
    ]


def of_purse(contracts: Contracts, world: World, run_id: bytes, run: Run) -> list[Check]:
    rewards, royalties, purse = contracts.rewards, contracts.royalties, run.purse

    async def pool() -> tuple[object, ...]:
        on = await rewards.pool(run_id)
        return on.funded, on.credited, on.closed, on.claimed, on.refunded

    async def account(party: int) -> tuple[int, int]:
        on = await rewards.account(run_id, party)
        return on.accrued, on.claimed

    async def sale() -> tuple[int, ...]:
        on = await royalties.sale(run_id)
        return on.received, on.claimed, on.licenses, on.price, on.votes

    expected = (
        purse.funded_wei, purse.credited_wei, purse.closed, purse.claimed_wei.total(),
        purse.refunded_wei,
    )  # fmt: skip
    sold = (
        purse.received_wei, purse.royalties_wei.total(), purse.licenses, purse.price_wei,
        purse.priced,
    )  # fmt: skip
    checks: list[Check] = [("pool", pool(), expected), ("sale", sale(), sold)]
    for party in world.who.parties:
        paid = (purse.accrued_wei.get(party, 0), purse.claimed_wei[party])
        checks.append((f"account of {party}", account(party), paid))
        if purse.closed:
            due = (purse.entitled_wei(party), purse.royalties_wei[party])
            checks.append((f"royalties of {party}", royalties.account(run_id, party), due))
    return checks
