"""What Python worked out before is what the contracts arrive at."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from ape.contracts import ContractInstance

from contracts import messages as m
from contracts.training import State

from .conftest import Swarm, node

CHECKED_ON_CHAIN = (
    m.Terms,
    m.Bylaws,
    m.Party,
    m.Agreement,
    m.Enrollment,
    m.Retirement,
    m.Leaving,
    m.Motion,
    m.Move,
    m.Veto,
    m.Suspicion,
    m.Alive,
    m.RunRequest,
    m.Attestation,
    m.Pardon,
    m.Update,
    m.Roster,
    m.Unlocking,
    m.Claim,
    m.Delegation,
    m.Pricing,
    m.TaskRequest,
    m.TaskChange,
    m.TaskrunnerRequest,
    m.Assignment,
    m.ResetRequest,
)
Vectors = Callable[[str], dict[str, Any]]


def test_struct_hashes(hashes: ContractInstance, vectors: Vectors) -> None:
    cases = vectors("hashes.json")["cases"]
    for kind in CHECKED_ON_CHAIN:
        of_kind = [case for case in cases if case["type"] == kind.__name__]
        assert of_kind, f"no vector of {kind.__name__}"
        for case in of_kind:
            message = m.from_json(kind, case["message"])
            found = getattr(hashes, kind.__name__)(m.to_abi(message))
            assert "0x" + bytes(found).hex() == case["struct_hash"], case


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
