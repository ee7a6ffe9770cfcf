"""A run from the agreement to the refund, on real contracts: every wei is accounted for."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from contracts import events
from contracts import messages as m
from contracts.chain import Chain
from contracts.deployment import Contracts, Deployment, deploy
from contracts.errors import ContractReverted, MessageError, NotDeployed
from contracts.keys import Signer, new_key
from contracts.parties import parties_in
from contracts.training import Ending, State
from tests.chain.people import INITIAL_ROOT, ORGANIZATIONS, Alliance, found_alliance

SPONSOR = new_key()
POOL_WEI = 1_000_000_000_000_000_000_003  # nothing divides it
LOSSES_E9 = (600_000_000, 433_333_333, 450_000_000, 300_000_001)
ROWS = (
    (),
    ((0, 5_000), (1, 3_333), (2, 1_666)),
    ((0, 5_000), (2, 5_000)),
    ((0, 3_333), (1, 3_333), (2, 3_333)),
)


@pytest.fixture
async def alliance(contracts: Contracts, treasury: Signer) -> Alliance:
    return await found_alliance(contracts, treasury, SPONSOR.address)


async def attestation(
    alliance: Alliance, run_id: bytes, number: int, row: tuple[tuple[int, int], ...]
) -> m.Attestation:
    """What the nodes sign for a round of the run, on top of what is on chain."""
    run = await alliance.contracts.training.run(run_id)
    return m.Attestation(
        run_id=run_id,
        round=number,
        prev=run.prev,
        term=0,
        roster_root=bytes(32) if number == 0 else bytes([number]) * 32,
        merged_root=INITIAL_ROOT if number == 0 else bytes([0x80 + number]) * 32,
        loss_before=LOSSES_E9[max(0, number - 1)],
        loss_after=LOSSES_E9[number],
        metric=-5 + number,
        shares=m.pack_shares(row),
        rejects=m.pack_rejects([(2, 4)]) if number == 2 else b"",
    )


async def test_a_run_pays_what_it_vested_and_returns_the_rest(
    alliance: Alliance, treasury: Signer
) -> None:
    contracts = alliance.contracts
    consortium, training = contracts.consortium, contracts.training
    rewards, token = contracts.rewards, contracts.token
    terms = alliance.agreement.terms
    first_block = await contracts.chain.block_number()

    # The agreement is what was signed.
    assert await consortium.in_force(alliance.id)
    assert await consortium.terms_hash(alliance.id) == m.struct_hash(terms)
    assert await consortium.bylaws(alliance.id) == alliance.agreement.bylaws
    assert await consortium.hash_terms(terms) == m.struct_hash(terms)
    assert await consortium.parties(alliance.id) == alliance.agreement.parties
    assert await consortium.period(alliance.id) == (
        alliance.agreement.not_before,
        alliance.agreement.not_after,
    )

    # A run, opened on the snapshot of the three nodes.
    run_id = await alliance.create_run()
    domain = training.domain
    assert run_id == m.run_id(
        domain.chain_id, domain.contract, alliance.id, "breast-cancer", 1, b"\x05" * 32
    )
    assert await training.run_named(alliance.id, "breast-cancer") == run_id
    assert await training.terms(run_id) == terms
    assert await training.quorum(run_id) == 2
    snapshot = await consortium.latest_snapshot(alliance.id)
    assert (snapshot.version, parties_in(snapshot.active)) == (3, (0, 1, 2))
    members = m.members_root(snapshot.root, snapshot.active)
    run = await training.run(run_id)
    assert (run.prev, run.active) == (m.first_prev(run_id, members), snapshot.active)

    # The sponsor funds it with a permit, and without one approval is needed.
    await token.mint(SPONSOR.address, POOL_WEI, signer=treasury)
    supply_wei = await token.total_supply()
    with pytest.raises(ContractReverted) as refused:
        await rewards.fund(run_id, POOL_WEI, signer=SPONSOR)
    assert refused.value.name == "ERC20InsufficientAllowance"
    nonce = await token.nonces(SPONSOR.address)
    permit = m.Permit(SPONSOR.address, rewards.address, POOL_WEI, nonce, alliance.deadline())
    await rewards.fund_with_permit(
        run_id,
        POOL_WEI,
        alliance.deadline(),
        m.sign(token.domain, permit, SPONSOR),
        signer=SPONSOR,
    )
    assert (await rewards.pool(run_id)).funded == POOL_WEI

    # Four rounds: the start, a gain, a loss, and a gain again.
    expected_wei = [0, 0, 0]
    credited_wei = 0
    best = LOSSES_E9[0]
    for number, row in enumerate(ROWS):
        agreed = await attestation(alliance, run_id, number, row)
        assert await training.attestation_digest(agreed) == m.digest(domain, agreed)
        receipt = await training.seal(
            agreed, alliance.signatures(agreed, 2, 0), signer=alliance.nodes[1]
        )
        best = min(best, LOSSES_E9[number])
        gain, span = LOSSES_E9[0] - best, LOSSES_E9[0] - terms.target_loss
        vested_wei = POOL_WEI * gain // span
        assert await rewards.vested(run_id, gain, span) == vested_wei
        paid = [(vested_wei - credited_wei) * bips // 10_000 for _, bips in row]
        for (party, _), wei in zip(row, paid, strict=True):
            expected_wei[party] += wei
        credited_wei += sum(paid)

        (sealed,) = (each for each in receipt.events if isinstance(each, events.Sealed))
        assert sealed.signers == (0, 2)
        assert m.unpack_shares(sealed.shares) == row
        assert sealed.credited == sum(paid)
        run = await training.run(run_id)
        assert run.prev == sealed.next
        if number < 3:
            assert sealed.next == m.next_prev(agreed, members)
            assert (run.state, run.round) == (State.OPEN, number + 1)
        assert run.merged_root == agreed.merged_root
        assert (run.last_loss, run.last_metric) == (agreed.loss_after, agreed.metric)

    # That was the last of three paid rounds.
    assert (run.state, run.round, run.prev) == (State.FINISHED, 3, bytes(32))
    (finished,) = (each for each in receipt.events if isinstance(each, events.Finished))
    assert (finished.rounds, finished.ending) == (3, Ending.ROUNDS_DONE)

    # Every organization claims: by a signature that anybody posts, or by itself.
    purses = [new_key().address for _ in ORGANIZATIONS]
    for party in (0, 1):
        nonce = await rewards.claim_nonce(alliance.id, party)
        claim = m.Claim((run_id,), party, purses[party], nonce, alliance.deadline())
        signature = m.sign(rewards.domain, claim, alliance.wallets[party])
        await rewards.claim(claim, signature, signer=alliance.relayer)
        with pytest.raises(ContractReverted) as again:
            await rewards.claim(claim, signature, signer=alliance.relayer)
        assert again.value.name == "Claims_WrongNonce"
        assert again.value.values == {"expected": nonce + 1, "got": nonce}
    await rewards.claim_to([run_id], 2, purses[2], signer=alliance.wallets[2])
    for party, purse in enumerate(purses):
        account = await rewards.account(run_id, party)
        assert account.accrued == account.claimed == expected_wei[party]
        assert await token.balance_of(purse) == expected_wei[party]

    # The rest goes back, and nothing is left over or missing.
    await rewards.refund(run_id, signer=alliance.relayer)
    pool = await rewards.pool(run_id)
    assert pool.closed
    assert pool.credited == pool.claimed == sum(expected_wei) == credited_wei
    assert pool.refunded == POOL_WEI - credited_wei
    assert await token.balance_of(SPONSOR.address) == pool.refunded
    assert await token.balance_of(rewards.address) == 0
    assert await token.total_supply() == supply_wei

    # The events tell the same story, from outside.
    last_block = await contracts.chain.block_number()
    told = await events.logs(contracts.chain, contracts.deployment, first_block + 1, last_block)
    assert [each.run_id for each in told if isinstance(each, events.PoolOpened)] == [run_id]
    assert [each.round for each in told if isinstance(each, events.Sealed)] == [0, 1, 2, 3]
    assert sum(each.amount for each in told if isinstance(each, events.Funded)) == POOL_WEI
    assert sum(each.credited for each in told if isinstance(each, events.Credited)) == credited_wei
    assert [
        (each.party, each.recipient, each.amount)
        for each in told
        if isinstance(each, events.Claimed)
    ] == list(zip(range(3), purses, expected_wei, strict=True))
    assert sum(each.amount for each in told if isinstance(each, events.Refunded)) == pool.refunded
    assert told == sorted(told, key=lambda each: (each.block, each.log_index))
    for each in told:
        header = await contracts.chain.block(each.block)
        assert header is not None
        assert header.hash == each.block_hash


async def test_a_seal_that_is_refused_says_why(alliance: Alliance) -> None:
    training = alliance.contracts.training
    run_id = await alliance.create_run()
    good = await attestation(alliance, run_id, 0, ())

    async def refusal(
        agreed: m.Attestation, signatures: dict[int, bytes]
    ) -> tuple[str, dict[str, object]]:
        with pytest.raises(ContractReverted) as refused:
            await training.seal(agreed, signatures, signer=alliance.relayer)
        assert refused.value.hint
        return refused.value.name, refused.value.values

    assert await refusal(good, alliance.signatures(good, 1)) == (
        "Training_NoQuorum",
        {"organizations": 1, "needed": 2},
    )
    early = await attestation(alliance, run_id, 1, ())
    assert await refusal(early, alliance.signatures(early)) == (
        "Training_WrongRound",
        {"expected": 0, "got": 1},
    )
    stranger = new_key()
    forged = alliance.signatures(good, 0) | {2: m.sign(training.domain, good, stranger)}
    assert await refusal(good, forged) == (
        "Training_WrongSignature",
        {
            "registration": 2,
            "expected": alliance.nodes[2].address,
            "recovered": stranger.address,
        },
    )
    name, values = await refusal(good, alliance.signatures(good, 0) | {7: bytes(65)})
    assert (name, values) == ("Consortium_NotAMember", {"registration": 7, "version": 3})
    await training.seal(good, alliance.signatures(good), signer=alliance.relayer)
    name, values = await refusal(good, alliance.signatures(good))
    assert (name, values["expected"]) == ("Training_WrongRound", 1)


async def test_snapshots_are_chained_as_python_chains_them(alliance: Alliance) -> None:
    consortium = alliance.contracts.consortium
    replacement = new_key()
    assert await alliance.enroll(1, replacement) == 3  # of the same name: takes its place
    retirement = m.Retirement(alliance.id, 0, alliance.deadline())
    await consortium.retire(
        retirement,
        m.sign(consortium.domain, retirement, alliance.wallets[0]),
        signer=alliance.relayer,
    )
    registrations = await consortium.registrations(alliance.id)
    assert [(each.number, each.since, each.until) for each in registrations] == [
        (0, 1, 5),
        (1, 2, 4),
        (2, 3, 0),
        (3, 4, 0),
    ]
    assert registrations[3].key == replacement.address
    assert registrations[3].spiffe_id == "spiffe://swarm.example/org/hospital-b/node/node-1"
    expected = alliance.id
    for change, number in [(1, 0), (1, 1), (1, 2), (1, 3), (2, 0)]:
        each = registrations[number]
        expected = m.next_snapshot_root(
            expected, change, number, each.party, each.key, each.spiffe_id, each.url, each.may_lead
        )
    latest = await consortium.latest_snapshot(alliance.id)
    assert (latest.version, parties_in(latest.active), latest.root) == (5, (1, 2), expected)
    assert await consortium.snapshot_at(alliance.id, 5) == latest
    assert [each.number for each in registrations if each.belongs(3)] == [0, 1, 2]
    assert [each.number for each in registrations if each.belongs(5)] == [2, 3]
    assert await consortium.members(alliance.id, 3, [0, 1]) == (
        (alliance.nodes[0].address, 0),
        (alliance.nodes[1].address, 1),
    )


async def test_a_stalled_round_is_opened_again_with_another_prev(alliance: Alliance) -> None:
    contracts = alliance.contracts
    run_id = await alliance.create_run()
    before = await contracts.training.run(run_id)
    with pytest.raises(ContractReverted) as early:
        await contracts.training.reopen(run_id, signer=alliance.relayer)
    assert early.value.values == {"until": before.opened_at + 600}
    assert "UTC" in str(early.value)
    await contracts.chain.request("evm_increaseTime", 601)
    await contracts.training.reopen(run_id, signer=alliance.relayer)
    snapshot = await contracts.consortium.latest_snapshot(alliance.id)
    after = await contracts.training.run(run_id)
    members = m.members_root(snapshot.root, snapshot.active)
    assert after.prev == m.reopened_prev(before.prev, members)
    assert after.round == before.round


async def test_the_deployment_file_says_where_the_contracts_are(
    contracts: Contracts, chain: Chain, tmp_path: Path
) -> None:
    path = tmp_path / "deployment.json"
    contracts.deployment.save(path)
    assert Deployment.load(path) == contracts.deployment
    await Contracts.at(chain, Deployment.load(path)).check()
    for wrong in ("", "[]", '{"chain_id": 1}', path.read_text().replace("31337", '"31337"')):
        path.write_text(wrong)
        with pytest.raises(NotDeployed):
            Deployment.load(path)
    with pytest.raises(NotDeployed, match="cannot read"):
        Deployment.load(tmp_path / "nowhere.json")


async def test_contracts_that_are_not_there_are_told(
    contracts: Contracts, chain: Chain, treasury: Signer
) -> None:
    there = contracts.deployment
    nobody = new_key().address
    elsewhere = replace(there, chain_id=1)
    with pytest.raises(NotDeployed, match="on chain 1, and this is 31337"):
        Contracts.at(chain, elsewhere)
    missing = replace(there, consortium=nobody)
    with pytest.raises(NotDeployed, match="no contract Consortium"):
        await Contracts.at(chain, missing).check()
    with pytest.raises(NotDeployed, match="did not answer like the contract Consortium"):
        await Contracts.at(chain, missing).consortium.latest_snapshot(bytes(32))
    with pytest.raises(MessageError):
        Contracts.at(chain, replace(there, token="0x"))
    other = await deploy(chain, treasury, treasury.address, "Other", 10**18)
    with pytest.raises(NotDeployed, match=r"Stakes at .* belongs to another Consortium"):
        await Contracts.at(chain, replace(there, stakes=other.stakes)).check()
