"""Organizations govern themselves: motions, wallets, leaving, amendments."""

from __future__ import annotations

from dataclasses import replace

import pytest

from contracts import events
from contracts import messages as m
from contracts.consortium import State
from contracts.council import Action
from contracts.deployment import Contracts
from contracts.errors import ContractReverted
from contracts.hashes import AMENDED, PARTY_OUT, RESUMED, SUSPENDED
from contracts.keys import Signer, new_key
from contracts.parties import parties_in
from tests.chain.people import Alliance, found_alliance

NOBODY = "0x" + "00" * 20


@pytest.fixture
async def alliance(contracts: Contracts, treasury: Signer) -> Alliance:
    bylaws = m.Bylaws(votes=2, wallet_delay=3600)
    return await found_alliance(contracts, treasury, new_key().address, bylaws=bylaws)


async def motion(
    alliance: Alliance, action: Action, *, party: int = 0, wallet: str = NOBODY
) -> m.Motion:
    nonce = await alliance.contracts.council.nonce(alliance.id)
    return m.Motion(alliance.id, action.value, party, wallet, nonce, alliance.deadline())


async def carry(alliance: Alliance, asked: m.Motion, *voters: int) -> tuple[events.Event, ...]:
    council = alliance.contracts.council
    votes = alliance.votes(council.domain, asked, *voters)
    return (await council.decide(asked, votes, signer=alliance.relayer)).events


async def test_a_suspended_agreement_counts_nobody_until_it_is_resumed(alliance: Alliance) -> None:
    consortium = alliance.contracts.consortium
    before = await consortium.latest_snapshot(alliance.id)
    happened = await carry(alliance, await motion(alliance, Action.SUSPEND))
    assert {type(each) for each in happened} == {events.Decided, events.StateChanged}
    assert await consortium.state(alliance.id) is State.SUSPENDED
    suspended = await consortium.latest_snapshot(alliance.id)
    assert suspended.active == 0
    assert suspended.root == m.changed_snapshot_root(before.root, SUSPENDED)

    await carry(alliance, await motion(alliance, Action.RESUME))
    resumed = await consortium.latest_snapshot(alliance.id)
    assert (await consortium.state(alliance.id), resumed.active) == (State.ACTIVE, before.active)
    assert resumed.root == m.changed_snapshot_root(suspended.root, RESUMED)


async def test_a_motion_without_enough_votes_says_how_many_are_missing(alliance: Alliance) -> None:
    asked = await motion(alliance, Action.TERMINATE)
    assert await alliance.contracts.council.electorate(alliance.id, Action.TERMINATE) == (0b111, 2)
    with pytest.raises(ContractReverted) as refused:
        await carry(alliance, asked, 1)
    assert refused.value.name == "Council_TooFewVotes"
    assert str(refused.value) == "1 organizations are in favor, and 2 are needed"
    with pytest.raises(ContractReverted) as odd:
        await carry(alliance, replace(asked, party=1))
    assert str(odd.value).startswith("the motion to terminate names a party")


async def test_other_contracts_ask_for_votes_too(alliance: Alliance) -> None:
    council = alliance.contracts.council
    asked = await motion(alliance, Action.SUSPEND)
    digest = m.digest(council.domain, asked)
    await council.require_votes(alliance.id, digest, alliance.votes(council.domain, asked, 2, 0))
    with pytest.raises(ContractReverted):
        await council.require_votes(alliance.id, digest, alliance.votes(council.domain, asked, 0))


async def test_a_lost_wallet_is_replaced_by_vote_unless_it_was_not_lost(
    alliance: Alliance,
) -> None:
    contracts = alliance.contracts
    council, consortium = contracts.council, contracts.consortium
    found, there = new_key(), alliance.wallets[2].address
    for vetoed in (True, False):
        asked = await motion(alliance, Action.REPLACE_WALLET, party=2, wallet=found.address)
        await carry(alliance, asked)
        (wallet, _) = await consortium.replacement(alliance.id, 2)
        assert (wallet, await consortium.wallet(alliance.id, 2)) == (found.address, there)
        if vetoed:
            nonce = await council.wallet_nonce(alliance.id, 2)
            veto = m.Veto(alliance.id, 2, found.address, nonce, alliance.deadline())
            signature = m.sign(council.domain, veto, alliance.wallets[2])
            await council.veto(veto, signature, signer=alliance.relayer)
            assert await consortium.replacement(alliance.id, 2) == (NOBODY, 0)
    await contracts.chain.request("evm_increaseTime", 3601)
    await contracts.chain.request("evm_mine")
    assert await consortium.wallet(alliance.id, 2) == found.address


async def test_a_party_moves_its_own_wallet_at_once(alliance: Alliance) -> None:
    council, consortium = alliance.contracts.council, alliance.contracts.consortium
    new = new_key()
    move = m.Move(alliance.id, 1, new.address, 0, alliance.deadline())
    old_signature, new_signature = (
        m.sign(council.domain, move, each) for each in (alliance.wallets[1], new)
    )
    receipt = await council.move_wallet(move, old_signature, new_signature, signer=alliance.relayer)
    (changed,) = (each for each in receipt.events if isinstance(each, events.WalletChanged))
    assert (changed.wallet, changed.party) == (new.address, 1)
    assert changed.since >= alliance.now
    assert await consortium.wallet(alliance.id, 1) == new.address


async def test_a_party_leaves_with_its_nodes_and_votes_no_more(alliance: Alliance) -> None:
    consortium = alliance.contracts.consortium
    before = await consortium.latest_snapshot(alliance.id)
    leaving = m.Leaving(alliance.id, 2, alliance.deadline())
    signature = m.sign(consortium.domain, leaving, alliance.wallets[2])
    await consortium.leave_agreement(leaving, signature, signer=alliance.relayer)
    after = await consortium.latest_snapshot(alliance.id)
    assert (parties_in(after.active), parties_in(await consortium.out(alliance.id))) == (
        (0, 1),
        (2,),
    )
    assert after.root == m.changed_snapshot_root(before.root, PARTY_OUT, 2)
    assert await consortium.is_out(alliance.id, 2)
    assert await consortium.joined_at(alliance.id, 2) >= alliance.now
    key, party, since, until = await consortium.member(alliance.id, 2)
    assert (key, party, since, until) == (alliance.nodes[2].address, 2, 3, 4)
    with pytest.raises(ContractReverted, match="party 2 has no vote"):
        await carry(alliance, await motion(alliance, Action.SUSPEND), 1, 2)


async def test_an_amendment_is_signed_one_by_one_and_keeps_the_id(alliance: Alliance) -> None:
    consortium = alliance.contracts.consortium
    newcomer = new_key()
    amended = replace(
        alliance.agreement,
        previous=alliance.id,
        version=2,
        document=b"\x55" * 32,
        bylaws=replace(alliance.agreement.bylaws, votes=3),
        parties=(*alliance.agreement.parties, m.Party("clinic-d", newcomer.address, 3)),
    )
    before = await consortium.latest_snapshot(alliance.id)
    for party, wallet in enumerate((*alliance.wallets, newcomer)):
        signature = m.sign(consortium.domain, amended, wallet)
        await consortium.sign(amended, party, signature, signer=alliance.relayer)
        if party == 1:
            assert await consortium.state(alliance.id) is State.AMENDING
            assert parties_in(await consortium.signers(m.struct_hash(amended))) == (0, 1)
    assert await consortium.state(alliance.id) is State.ACTIVE
    assert await consortium.version(alliance.id) == 2
    assert await consortium.agreement_hash(alliance.id) == m.struct_hash(amended)
    assert await consortium.parties(alliance.id) == amended.parties
    after = await consortium.latest_snapshot(alliance.id)
    assert after.root == m.changed_snapshot_root(before.root, AMENDED)
