"""Stakes, absence, licenses, claimers: what stands around a run."""

from __future__ import annotations

import pytest

from contracts import events
from contracts import messages as m
from contracts.deployment import Contracts
from contracts.errors import ContractReverted
from contracts.keys import Signer, new_key
from contracts.parties import parties_in, party_set
from contracts.registry import Entry
from contracts.roles import Role
from contracts.stakes import Kind
from contracts.training import State
from tests.chain.people import INITIAL_ROOT, Alliance, found_alliance

TOKEN_WEI = 10**18
CHARITY = new_key().address
SPONSOR = new_key()


@pytest.fixture
async def alliance(contracts: Contracts, treasury: Signer) -> Alliance:
    bylaws = m.Bylaws(penalty_recipient=CHARITY, min_stake=100 * TOKEN_WEI)
    price_wei = 5 * TOKEN_WEI
    founded = await found_alliance(
        contracts, treasury, SPONSOR.address, bylaws=bylaws, license_price=price_wei
    )
    for spender in (contracts.stakes, contracts.royalties):
        await contracts.token.approve(spender.address, 10**24, signer=treasury)
    await contracts.token.mint(treasury.address, 10**24, signer=treasury)
    for party in (0, 1):
        await contracts.stakes.deposit(founded.id, party, 100 * TOKEN_WEI, signer=treasury)
    return founded


async def start(alliance: Alliance, run_id: bytes, *, loss_e9: int) -> m.Attestation:
    run = await alliance.contracts.training.run(run_id)
    return m.Attestation(
        run_id, 0, run.prev, 0, bytes(32), INITIAL_ROOT, loss_e9, loss_e9, 0, b"", b""
    )


async def test_who_has_no_stake_is_not_counted(alliance: Alliance) -> None:
    contracts = alliance.contracts
    run = await contracts.training.run(await alliance.create_run())
    assert parties_in(run.active) == (0, 1)
    await contracts.stakes.deposit(alliance.id, 2, 100 * TOKEN_WEI, signer=alliance.relayer)
    assert await contracts.stakes.staked(alliance.id) == party_set((0, 1, 2))


async def test_a_contradiction_costs_a_part_of_the_stake(alliance: Alliance) -> None:
    stakes, training = alliance.contracts.stakes, alliance.contracts.training
    run_id = await alliance.create_run()
    prev = (await training.run(run_id)).prev
    first, second = (m.Update(run_id, 0, prev, 0, bytes([size]) * 32, size, 100) for size in (1, 2))
    a, b = ((each, m.sign(training.domain, each, alliance.nodes[0])) for each in (first, second))
    finder = new_key()
    receipt = await stakes.slash_updates(training.address, 0, a, b, signer=finder)
    (slashed,) = (each for each in receipt.events if isinstance(each, events.Slashed))
    assert (slashed.kind, slashed.party, slashed.penalty) == (Kind.UPDATE, 0, 50 * TOKEN_WEI)
    assert await stakes.owed(finder.address) == slashed.reward == 5 * TOKEN_WEI
    assert await stakes.proven(Kind.UPDATE, run_id, 0, prev, 0, 0)
    await stakes.collect(CHARITY, signer=finder)
    assert await alliance.contracts.token.balance_of(CHARITY) == 45 * TOKEN_WEI
    with pytest.raises(ContractReverted, match="was proven before"):
        await stakes.slash_updates(training.address, 0, a, b, signer=finder)


async def test_stake_is_returned_after_notice(alliance: Alliance) -> None:
    contracts, stakes = alliance.contracts, alliance.contracts.stakes
    await stakes.deposit(alliance.id, 0, 7, signer=alliance.relayer)
    purse = new_key().address
    asked = m.Unlocking(alliance.id, 0, 7, purse, 0, alliance.deadline())
    signature = m.sign(stakes.domain, asked, alliance.wallets[0])
    await stakes.unlock(asked, signature, signer=alliance.relayer)
    held = await stakes.stake(alliance.id, 0)
    assert (held.locked, held.leaving, held.recipient) == (100 * TOKEN_WEI, 7, purse)
    with pytest.raises(ContractReverted, match="stays locked until 20"):
        await stakes.withdraw(alliance.id, 0, signer=alliance.relayer)
    delay_s = await contracts.consortium.unlock_delay(alliance.id)
    await contracts.chain.request("evm_increaseTime", delay_s + 1)
    await stakes.withdraw(alliance.id, 0, signer=alliance.relayer)
    assert await contracts.token.balance_of(purse) == 7


async def test_who_does_not_answer_is_left_out_until_it_does(alliance: Alliance) -> None:
    contracts, presence = alliance.contracts, alliance.contracts.presence
    suspicion = m.Suspicion(alliance.id, 1, 0, 1, alliance.deadline())
    signature = m.sign(presence.domain, suspicion, alliance.nodes[0])
    assert await presence.answer_gas() > 50_000
    await contracts.chain.request("anvil_setBalance", alliance.relayer.address, hex(TOKEN_WEI))
    await presence.suspect(suspicion, signature, deposit_wei=1000, signer=alliance.relayer)
    case = await presence.suspicion(alliance.id, 1)
    assert (case.number, case.open, case.deposit) == (1, True, 1000)
    await contracts.chain.request("evm_increaseTime", 3601)
    await presence.leave_out(alliance.id, 1, signer=alliance.relayer)
    assert parties_in(await presence.away(alliance.id)) == (1,)
    assert await presence.owed(alliance.relayer.address) == 1000
    alive = m.Alive(alliance.id, 1, 1)
    by_wallet = m.sign(presence.domain, alive, alliance.wallets[1])
    receipt = await presence.alive(alive, by_wallet, by_wallet=True, signer=alliance.relayer)
    assert [type(each) for each in receipt.events] == [events.Returned]
    assert await presence.away(alliance.id) == 0


async def test_a_finished_model_is_licensed_and_those_who_made_it_are_paid(
    alliance: Alliance,
) -> None:
    contracts, royalties = alliance.contracts, alliance.contracts.royalties
    run_id = await alliance.create_run()
    agreed = await start(alliance, run_id, loss_e9=1)  # at the target already: nobody is credited
    signatures = alliance.signatures(agreed, 0, 1)
    await contracts.training.seal(agreed, signatures, signer=alliance.relayer)
    assert (await contracts.training.run(run_id)).state == State.FINISHED

    price_wei, licensee = 9 * TOKEN_WEI, new_key().address
    pricing = m.Pricing(run_id, price_wei, 0, alliance.deadline())
    votes = alliance.votes(royalties.domain, pricing, 0, 1, 2)
    await royalties.set_price(pricing, votes, signer=alliance.relayer)
    assert await royalties.price(run_id) == price_wei
    with pytest.raises(ContractReverted, match="and 1 was the limit"):
        await royalties.buy(run_id, licensee, 1, signer=alliance.relayer)
    await royalties.buy(run_id, licensee, price_wei, signer=alliance.relayer)
    await royalties.pay(run_id, 3, signer=alliance.relayer)
    assert await royalties.licensed(run_id, licensee) == 1
    assert (await royalties.sale(run_id)).received == price_wei + 3
    assert await royalties.account(run_id, 1) == (3 * TOKEN_WEI + 1, 0)

    # The wallet lets somebody else claim, who cannot choose the recipient.
    claimer, purse = new_key(), new_key().address
    delegation = m.Delegation(alliance.id, 1, claimer.address, purse, 0, alliance.deadline())
    signature = m.sign(royalties.domain, delegation, alliance.wallets[1])
    await royalties.delegate(delegation, signature, signer=alliance.relayer)
    assert await royalties.delegate_of(alliance.id, 1) == (claimer.address, purse)
    await royalties.claim_for([run_id], 1, signer=claimer)
    assert await contracts.token.balance_of(purse) == 3 * TOKEN_WEI + 1
    assert await royalties.claim_nonce(alliance.id, 1) == 1


async def test_a_finished_run_is_reset_and_continued(alliance: Alliance) -> None:
    training = alliance.contracts.training
    first = await alliance.create_run()
    request = m.RunRequest(
        agreement=alliance.id,
        party=0,
        name="breast-cancer",
        salt=bytes(32),
        generation=2,
        continues=first,
        deadline=alliance.deadline(),
    )

    async def reset() -> None:
        signature = m.sign(training.domain, request, alliance.wallets[0])
        await training.create_run(
            request, alliance.agreement.terms, signature, signer=alliance.relayer
        )

    with pytest.raises(ContractReverted, match="is open"):
        await reset()
    agreed = await start(alliance, first, loss_e9=1)
    await training.seal(agreed, alliance.signatures(agreed, 0, 1), signer=alliance.relayer)
    await reset()
    second = await training.run_named(alliance.id, "breast-cancer")
    assert await training.run_of(alliance.id, "breast-cancer", 1) == first
    assert await training.run_of(alliance.id, "breast-cancer", 2) == second
    assert await training.agreement_of(second) == alliance.id
    run = await training.run(second)
    assert (run.generation, run.initial_root) == (2, INITIAL_ROOT)


async def test_versions_are_published_by_who_has_the_role(
    contracts: Contracts, treasury: Signer
) -> None:
    registry, roles = contracts.registry, contracts.roles
    entries = [Entry("Consortium", contracts.consortium.address)]
    publisher = new_key()
    with pytest.raises(ContractReverted) as refused:
        await registry.publish("1.0.0", b"\x01" * 32, entries, signer=publisher)
    assert refused.value.name == "AccessManagedUnauthorized"
    await roles.set_target_function_role(registry, ["publish"], Role.PUBLISHER, signer=treasury)
    await roles.grant_role(Role.PUBLISHER, publisher.address, 0, signer=treasury)
    assert await roles.has_role(Role.PUBLISHER, publisher.address) == (True, 0)
    await registry.publish("1.0.0", b"\x01" * 32, entries, signer=publisher)
    index, latest = await registry.latest()
    assert (index, latest.name, latest.contracts) == (0, "1.0.0", tuple(entries))
    with pytest.raises(ContractReverted, match="was published before, as number 0"):
        await registry.publish("1.0.0", b"\x01" * 32, entries, signer=publisher)
