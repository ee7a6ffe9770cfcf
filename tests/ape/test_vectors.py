"""What Python worked out before is what the contracts arrive at."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from ape.contracts import ContractInstance

from contracts import messages as m
from contracts.training import State

from .conftest import Swarm, node

Vectors = Callable[[str], dict[str, Any]]


def test_struct_hashes(hashes: ContractInstance, vectors: Vectors) -> None:
    for case in vectors("hashes.json")["cases"]:
        message = m.from_json(getattr(m, case["type"]), case["message"])
        found = getattr(hashes, case["type"])(m.to_abi(message))
        assert "0x" + bytes(found).hex() == case["struct_hash"], case


def test_digests_and_signatures(hashes: ContractInstance, vectors: Vectors) -> None:
    for case in vectors("hashes.json")["cases"]:
        chain_id, contract = case["domain"].values()
        found = hashes.digest(chain_id, contract, case["struct_hash"])
        assert "0x" + bytes(found).hex() == case["digest"], case
        assert hashes.recover(found, case["signature"]) == case["signer"], case


def test_texts_signed_by_wallets(hashes: ContractInstance, vectors: Vectors) -> None:
    for case in vectors("hashes.json")["personal"]:
        found = hashes.personalDigest(case["text"])
        assert "0x" + bytes(found).hex() == case["digest"], case
        assert hashes.recover(found, case["signature"]) == case["signer"], case


def test_chains_of_rounds_and_snapshots(hashes: ContractInstance, vectors: Vectors) -> None:
    kept = vectors("hashes.json")
    functions: dict[str, Callable[..., bytes]] = {
        "run_id": hashes.runId,
        "members_root": hashes.membersRoot,
        "snapshot_root": hashes.snapshotRoot,
        "changed_snapshot_root": hashes.changedSnapshotRoot,
        "leader_rank": hashes.leaderRank,
        "updates_root": hashes.updatesRoot,
    }
    for name, function in functions.items():
        for case in kept[name]:
            *arguments, expected = case.values()
            assert "0x" + bytes(function(*arguments)).hex() == expected, case


def test_what_is_before_a_round(hashes: ContractInstance, vectors: Vectors) -> None:
    for case in vectors("hashes.json")["prev"]:
        if case["kind"] == "next":
            attestation = m.from_json(m.Attestation, case["attestation"])
            found = hashes.prevAfter(m.to_abi(attestation), case["members_root"])
        else:
            before = case["run_id"] if case["kind"] == "first" else case["prev_before"]
            found = hashes.prevFrom(before, case["members_root"])
        assert "0x" + bytes(found).hex() == case["prev"], case


@pytest.mark.parametrize(
    "contract",
    [
        "token",
        "consortium",
        "council",
        "stakes",
        "presence",
        "training",
        "rewards",
        "royalties",
        "taskrunner",
    ],
)
def test_domains(swarm: Swarm, contract: str) -> None:
    address = getattr(swarm, contract).address
    domain = getattr(swarm, contract).eip712Domain()
    assert (domain.name, domain.version) == ("Swarm Learning", "1")
    assert (domain.chainId, domain.verifyingContract) == (swarm.chain.chain_id, address)


def test_money(swarm: Swarm, vectors: Vectors) -> None:
    for number, case in enumerate(vectors("money.json")["cases"]):
        pay_one_case(swarm, case, number.to_bytes(32, "big"))


def pay_one_case(swarm: Swarm, case: dict[str, Any], document: bytes) -> None:
    rounds = case["rounds"]
    parties = max(2, 1 + max(party for each in rounds for party, _ in each["shares"]))
    initial_e9 = case["initial_loss_e9"]
    terms = swarm.terms(
        loss_ceiling=initial_e9, target_loss=case["target_loss_e9"], max_rounds=len(rounds)
    )
    agreement = swarm.agree(parties, terms, document)
    # One contract counts the nodes of every agreement from zero: keys may come again.
    for party in range(parties):
        swarm.enroll(agreement, party, node(party))
    signers = range(parties // 2 + 1)
    run_id = swarm.create_run(agreement)
    if funded_wei := int(case["funded_wei"]):
        swarm.fund(run_id, funded_wei)
    swarm.seal(swarm.attestation(run_id, initial_e9), signers)

    accrued = dict.fromkeys(range(parties), 0)
    for each in rounds:
        attestation = swarm.attestation(run_id, each["loss_after_e9"], each["shares"])
        swarm.seal(attestation, signers)
        for party, credited_wei in each["credited_wei"].items():
            accrued[int(party)] += int(credited_wei)
        assert swarm.training.run(run_id).bestLoss == each["best_loss_e9"], case["name"]
        assert accrued == {
            party: swarm.rewards.account(run_id, party).accrued for party in range(parties)
        }, case["name"]

    assert swarm.training.run(run_id).state == State.FINISHED
    refund_wei = int(case["refund_wei"])
    before = swarm.token.balanceOf(swarm.sponsor)
    if refund_wei:
        swarm.rewards.refund(run_id, sender=swarm.relayer)
    assert swarm.token.balanceOf(swarm.sponsor) - before == refund_wei, case["name"]
