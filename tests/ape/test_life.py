"""A run from the agreement to the last payment, posted by somebody who has no role in it."""

from __future__ import annotations

from typing import Any

import ape

from contracts import messages as m
from contracts.hashes import ENROLLED, RETIRED
from contracts.training import State

from .conftest import HOUR_S, Swarm, node, signer, wallet

FUNDS_WEI = 1_000 * 10**18


def test_a_run_from_agreement_to_payment(swarm: Swarm) -> None:
    agreement = swarm.agree(3, swarm.terms())
    agreement_id = m.struct_hash(agreement)
    assert swarm.consortium.inForce(agreement_id)

    # Every membership change is one link of the snapshots' hash chain.
    root = agreement_id
    for party in range(3):
        swarm.enroll(agreement, party, node(party))
        root = m.next_snapshot_root(
            root,
            ENROLLED,
            party,
            party,
            node(party).address,
            f"spiffe://swarm.example/org/hospital-{party}/node/n1",
            f"https://n1.hospital-{party}.example:9443",
            True,
        )
    snapshot = swarm.consortium.latestSnapshot(agreement_id)
    assert (snapshot.version, snapshot.active, bytes(snapshot.root)) == (3, 0b111, root)
    members = m.members_root(root, 0b111)

    run_id = swarm.create_run(agreement)
    assert run_id == m.run_id(
        swarm.chain.chain_id,
        swarm.training.address,
        agreement_id,
        "breast-cancer",
        1,
        b"\x05" * 32,
    )
    assert bytes(swarm.training.run(run_id).prev) == m.first_prev(run_id, members)
    swarm.fund(run_id, FUNDS_WEI)

    start = swarm.attestation(run_id, 700_000_000)
    swarm.seal(start, [0, 1, 2])
    assert bytes(swarm.training.run(run_id).prev) == m.next_prev(start, members)

    # Half of the way to the target, half of the pool; two of three are enough.
    first = swarm.attestation(run_id, 400_000_000, [(0, 6_000), (1, 1_000), (2, 3_000)])
    receipt = swarm.seal(first, [0, 2])
    (sealed,) = receipt.decode_logs(swarm.training.Sealed)
    assert sealed.round == 1
    assert bytes(sealed.mergedRoot) == first.merged_root
    assert bytes(sealed.prev) == first.prev
    assert bytes(sealed.next) == m.next_prev(first, members)
    assert bytes(sealed.shares) == first.shares
    assert list(sealed.signers) == [0, 2]
    assert sealed.credited == FUNDS_WEI // 2
    assert swarm.rewards.account(run_id, 0).accrued == FUNDS_WEI // 2 * 6 // 10

    # A node leaves, another one comes: with the next snapshot.
    retirement = m.Retirement(agreement_id, 2, swarm.now() + HOUR_S)
    swarm.consortium.retire(
        m.to_abi(retirement),
        swarm.sign(swarm.consortium, retirement, wallet(2)),
        sender=swarm.relayer,
    )
    root = m.next_snapshot_root(
        root,
        RETIRED,
        2,
        2,
        node(2).address,
        "spiffe://swarm.example/org/hospital-2/node/n1",
        "https://n1.hospital-2.example:9443",
        True,
    )
    members = m.members_root(root, 0b011)
    second = swarm.attestation(run_id, 300_000_000, [(0, 3_334), (1, 3_333), (2, 3_333)])
    swarm.seal(second, [1, 2])
    assert bytes(swarm.training.run(run_id).prev) == m.next_prev(second, members)

    # Nobody has sealed for long enough: the round is opened again.
    swarm.chain.pending_timestamp += 600
    before = bytes(swarm.training.run(run_id).prev)
    swarm.training.reopen(run_id, sender=swarm.relayer)
    assert bytes(swarm.training.run(run_id).prev) == m.reopened_prev(before, members)

    swarm.seal(swarm.attestation(run_id, 100_000_000, [(0, 5_000), (1, 5_000)]), [0, 1])
    assert swarm.training.run(run_id).state == State.FINISHED
    assert swarm.rewards.pool(run_id).closed
    assert swarm.rewards.pool(run_id).credited == FUNDS_WEI

    claim = m.Claim((run_id,), 1, signer(0xBA27).address, 0, swarm.now() + HOUR_S)
    due = swarm.rewards.account(run_id, 1).accrued
    swarm.rewards.claim(
        m.to_abi(claim), swarm.sign(swarm.rewards, claim, wallet(1)), sender=swarm.relayer
    )
    assert swarm.token.balanceOf(claim.recipient) == due


def test_refusals_name_what_was_expected(swarm: Swarm) -> None:
    agreement = swarm.agree(3, swarm.terms())
    for party in range(3):
        swarm.enroll(agreement, party, node(party))
    run_id = swarm.create_run(agreement)
    start = swarm.attestation(run_id, 700_000_000)
    with ape.reverts(swarm.training.Training_NoQuorum, organizations=1, needed=2):
        swarm.seal(start, [1])
    with ape.reverts(swarm.consortium.Consortium_NotAMember, registration=7, version=3):
        swarm.seal(start, [1, 7])
    swarm.seal(start, [0, 1])
    with ape.reverts(swarm.training.Training_WrongRound, expected=1, got=0):
        swarm.seal(start, [0, 1])


def test_ape_reports_the_gas_of_a_paid_seal(swarm: Swarm) -> None:
    agreement = swarm.agree(3, swarm.terms())
    for party in range(3):
        swarm.enroll(agreement, party, node(party))
    run_id = swarm.create_run(agreement)
    swarm.fund(run_id, FUNDS_WEI)
    swarm.seal(swarm.attestation(run_id, 700_000_000), [0, 1, 2])
    row = [(0, 3_333), (1, 3_333), (2, 3_333)]
    receipt: Any = swarm.seal(swarm.attestation(run_id, 400_000_000, row), [0, 1, 2])
    assert receipt.gas_used <= 180_000
