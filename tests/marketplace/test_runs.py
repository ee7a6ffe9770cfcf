"""Runs from request to payment, and whether the index says what the chain says."""

from __future__ import annotations

from itertools import count

import pytest

from contracts import Contracts
from contracts.keys import new_key
from marketplace import errors
from node_agent.engine.leader import ranking
from node_agent.peers.protocol import Peer
from tests.marketplace.world import TOKEN_WEI, Federation, World, eventually

_names = (f"run-{n}" for n in count())


@pytest.fixture(scope="module")
def enrolled(world: World) -> Federation:
    """Three organizations with a node each; the tests share them and make runs of their own."""
    federation = Federation(world)
    federation.agree()
    for name in federation.wallets:
        federation.enroll(name)
    return federation


@pytest.fixture
def running(enrolled: Federation) -> Federation:
    """A funded run whose round 0 is sealed, and the marketplace knows it."""
    enrolled.start(next(_names))
    enrolled.fund(1000)
    enrolled.seal(2.0)
    enrolled.sees(1)
    return enrolled


def test_only_a_party_creates_a_run(enrolled: Federation) -> None:
    with enrolled.world.client(enrolled.world.admin) as admin, pytest.raises(errors.NotFound):
        admin.create_run(enrolled.agreement_id, "of-an-admin")
    with enrolled.world.client(new_key()) as stranger, pytest.raises(errors.NotFound):
        stranger.create_run(enrolled.agreement_id, "of-a-stranger")


def test_a_name_is_taken_while_its_run_is_under_way(running: Federation) -> None:
    with running.owner("clinic-b") as owner:
        name = owner.run(running.run_id)["name"]
        with pytest.raises(errors.Conflict, match="is under way already"):
            owner.create_run(running.agreement_id, name)


def test_a_request_is_posted_once(enrolled: Federation) -> None:
    with enrolled.owner("clinic-a") as owner:
        prepared = owner.prepare_run(enrolled.agreement_id, next(_names))
        owner.begin_run(prepared)
        with pytest.raises(errors.Conflict, match="posted before"):
            owner.begin_run(prepared)


def test_a_finished_run_is_begun_anew_under_its_name(running: Federation) -> None:
    running.seal(0.05, {0: 5000, 1: 5000})  # below the target
    with running.owner("clinic-a") as owner:
        over = eventually(lambda: owner.run(running.run_id), lambda run: run["state"] == "finished")
        prepared = owner.prepare_run(running.agreement_id, over["name"], running.run_id)
        assert prepared["generation"] == 2
        assert "generation 2; what was trained and earned before stays" in prepared["effect"]
        operation = owner.wait(owner.begin_run(prepared)["id"])
        anew = owner.run(operation["result"]["run"])
        told = owner.governance.history(running.agreement_id)[0]
    assert (anew["name"], anew["generation"], anew["state"]) == (over["name"], 2, "open")
    assert told["what"] == f"Run {over['name']} begun anew, as generation 2"
    assert (over["generation"], over["ending"]) == (1, "target reached")


def test_a_request_that_was_not_asked_for_is_not_signed(
    enrolled: Federation, monkeypatch: pytest.MonkeyPatch
) -> None:
    with enrolled.owner("clinic-a") as owner:
        other = owner.prepare_run(enrolled.agreement_id, next(_names))
        ask = owner.one
        monkeypatch.setattr(
            owner, "one", lambda how, path, *body: other if body else ask(how, path)
        )
        with pytest.raises(errors.WrongSignature, match="not the one that was asked for"):
            owner.prepare_run(enrolled.agreement_id, next(_names))


def test_changed_terms_are_refused(enrolled: Federation) -> None:
    with enrolled.owner("clinic-a") as owner:
        prepared = owner.prepare_run(enrolled.agreement_id, "changed-terms")
        prepared["terms"]["max_rounds"] = 1
        with pytest.raises(errors.InvalidInput, match="not the terms of the agreement"):
            owner.begin_run(prepared)


def test_what_a_sponsor_lacks_is_said_in_tokens(running: Federation) -> None:
    poor = new_key().address
    place = f"/api/runs/{running.run_id}/funding?payer={poor}&tokens="
    with running.owner("clinic-a") as owner:
        with pytest.raises(errors.ChainRefusal, match=r"has 0 tokens: 2\.5 are missing of 2\.5"):
            owner.one("GET", place + "2.5")
        for wrong in ("0", "-1", "1,5", "1e3", "0.0000000000000000001", ".5"):
            with pytest.raises(errors.InvalidInput, match="not an amount of tokens"):
                owner.one("GET", place + wrong)


def test_whoever_allowed_enough_before_is_asked_for_one_transaction(running: Federation) -> None:
    treasury = running.world.treasury

    async def allow(contracts: Contracts) -> None:
        await contracts.token.mint(treasury.address, 5 * TOKEN_WEI, signer=treasury)
        await contracts.token.approve(contracts.rewards.address, 3 * TOKEN_WEI, signer=treasury)

    running.world.on_chain(allow)
    with running.owner("clinic-a") as owner:
        asked = [
            owner.one(
                "GET",
                f"/api/runs/{running.run_id}/funding?payer={treasury.address}&tokens={tokens}",
            )["transactions"]
            for tokens in ("3", "3.5")
        ]
    whats = [[each["what"].split()[0] for each in transactions] for transactions in asked]
    assert whats == [["pay"], ["let", "pay"]]


def test_what_organizations_earned_is_what_the_chain_says(running: Federation) -> None:
    running.seal(1.63, {0: 3333, 1: 4111, 2: 2555})
    running.seal(1.70, {0: 9999})  # worse: pays no more than what rounding left before
    running.seal(0.77, {0: 1, 1: 3333, 2: 6666})
    with running.owner("clinic-a") as owner:
        rounds = eventually(lambda: owner.rounds(running.run_id), lambda seen: len(seen) == 4)
        earned = owner.earnings(running.run_id)
        run = owner.run(running.run_id)
    by_chain = [running.account(party).accrued for party in range(3)]
    assert [int(each["credited_wei"]) for each in earned["organizations"]] == by_chain
    assert sum(by_chain) == int(run["credited_wei"]) > 0
    assert all(amount > 0 for amount in by_chain)
    assert [each["round"] for each in rounds] == [0, 1, 2, 3]
    left_wei = vested_wei(2.0 - 1.63) - int(rounds[1]["credited_wei"])
    assert int(rounds[2]["credited_wei"]) == left_wei * 9999 // 10_000
    assert run["best_loss_e9"] == 770_000_000
    assert run["gain_ppm"] == (2000 - 770) * 1_000_000 // 1900


def vested_wei(gain: float) -> int:
    """What a gain vests of 1000 tokens on the way from 2.0 to 0.1."""
    return 1000 * TOKEN_WEI * round(gain * 1e9) // 1_900_000_000


def test_the_baselines_split_the_same_amounts(running: Federation) -> None:
    for n, node in enumerate(running.nodes.values()):
        last = {"last": {"samples": 100 * (n + 1)}}
        assert node.post("/agents/v1/status", last).status_code == 204
    running.seal(1.05, {0: 6000, 1: 4000, 2: 0})
    with running.owner("clinic-a") as owner:
        eventually(lambda: owner.rounds(running.run_id), lambda seen: len(seen) == 2)
        rows = owner.earnings(running.run_id)["organizations"]
    assert [int(row["credited_wei"]) // TOKEN_WEI for row in rows] == [300, 200, 0]
    assert [int(row["equal_wei"]) // TOKEN_WEI for row in rows] == [166, 166, 166]
    assert [int(row["size_wei"]) // TOKEN_WEI for row in rows] == [83, 166, 250]


def test_rounds_tell_who_led_signed_and_was_paid(running: Federation) -> None:
    running.seal(1.0, {0: 5000, 1: 2500, 2: 2500})
    with running.owner("clinic-c") as owner:
        last = eventually(lambda: owner.rounds(running.run_id), lambda seen: len(seen) == 2)[-1]
        run = owner.run(running.run_id)
    names = [f"spiffe://swarm.example/org/clinic-{x}/node/site-1" for x in "abc"]
    assert last["signers"] == names
    assert last["leader"] in names
    assert run["leader"] in names
    assert run["round"] == 2
    assert last["shares"][0] == {"party": 0, "organization": "clinic-a", "share_bips": 5000}
    assert last["transaction"].startswith("0x")


def test_the_leader_shown_is_the_one_that_the_nodes_rank_first(running: Federation) -> None:
    running.seal(1.0, {0: 5000, 1: 2500, 2: 2500})
    with running.owner("clinic-b") as owner:
        rounds = eventually(lambda: owner.rounds(running.run_id), lambda seen: len(seen) == 2)
        nodes = owner.nodes(running.agreement_id)
        shown = [rounds[1]["leader"], owner.run(running.run_id)["leader"]]
    peers = [
        Peer(
            each["registration"],
            each["party"],
            each["organization"],
            each["spiffe_id"],
            each["url"],
            each["key"],
            True,
        )
        for each in nodes
    ]
    run_id = bytes.fromhex(running.run_id[2:])
    merged = [bytes.fromhex(each["merged_root"][2:]) for each in rounds]
    first = [ranking(run_id, n + 1, root, peers)[0] for n, root in enumerate(merged)]
    assert shown == [peer.spiffe_id for peer in first]


def test_an_organization_is_paid_what_it_earned_and_not_twice(running: Federation) -> None:
    running.seal(1.05, {0: 5000, 1: 5000})
    with running.owner("clinic-a") as owner:
        eventually(lambda: owner.rounds(running.run_id), lambda seen: len(seen) == 2)
        paid = owner.wait(owner.claim(running.run_id, "clinic-a")["id"])
        assert int(paid["result"]["amount"]) == 250 * TOKEN_WEI
        assert running.account(0).claimed == 250 * TOKEN_WEI
        row = owner.earnings(running.run_id)["organizations"][0]
        assert row["claimed_wei"] == str(250 * TOKEN_WEI)
        assert row["claimable_wei"] == "0"
        with pytest.raises(errors.ChainRefusal, match="nothing to claim"):
            owner.claim(running.run_id, "clinic-a")


def test_a_claim_that_was_paid_cannot_be_handed_in_again(running: Federation) -> None:
    running.seal(1.05, {1: 5000})
    handed_in = []
    with running.owner("clinic-b") as owner:
        eventually(lambda: owner.rounds(running.run_id), lambda seen: len(seen) == 2)
        send = owner.request

        def record(method: str, path: str, body: dict[str, object] | None = None) -> object:
            if path == "/api/claims":
                handed_in.append(body)
            return send(method, path, body)

        owner.request = record  # type: ignore[method-assign] # a wire tap
        owner.wait(owner.claim(running.run_id, "clinic-b")["id"])
        with pytest.raises(errors.Conflict, match="paid already"):
            send("POST", "/api/claims", handed_in[0])


def test_nobody_claims_for_another(running: Federation) -> None:
    running.seal(1.05, {0: 5000})
    with running.owner("clinic-b") as rival:
        eventually(lambda: rival.rounds(running.run_id), lambda seen: len(seen) == 2)
        with pytest.raises(errors.NotAllowed, match="only the wallet of clinic-a"):
            rival.claim(running.run_id, "clinic-a")


def test_a_run_that_reaches_its_target_is_finished(running: Federation) -> None:
    running.seal(0.1, {0: 4000, 1: 3000, 2: 3000})
    with running.owner("clinic-a") as owner:
        run = eventually(
            lambda: owner.run(running.run_id), lambda seen: seen["state"] == "finished"
        )
    assert run["ending"] == "target reached"
    assert run["round"] is None
    assert run["credited_wei"] == str(1000 * TOKEN_WEI)


def test_strangers_see_neither_runs_nor_rounds_nor_earnings(running: Federation) -> None:
    with running.world.client(new_key()) as stranger:
        assert stranger.runs() == []
        for look in (stranger.run, stranger.rounds, stranger.earnings):
            with pytest.raises(errors.NotFound):
                look(running.run_id)


def test_operations_are_shown_to_their_parties_only(enrolled: Federation) -> None:
    with enrolled.owner("clinic-a") as owner:
        operation = owner.create_run(enrolled.agreement_id, next(_names))
        assert owner.wait(operation["id"])["state"] == "confirmed"
    with enrolled.world.client(new_key()) as stranger, pytest.raises(errors.NotFound):
        stranger.operation(operation["id"])


def test_runs_are_noted_and_compared(enrolled: Federation) -> None:
    federation, made = enrolled, []
    for rate, losses in ((0.1, (2.0, 1.5)), (0.5, (2.0, 1.1))):
        federation.start(next(_names))
        made.append(federation.run_id)
        for loss in losses:
            federation.seal(loss, {} if loss == 2.0 else {0: 10_000})
        with federation.owner("clinic-a") as owner:
            note = {"project": "screening", "tags": ["b", "a", "a"]}
            owner.write_note(federation.run_id, note | {"hyperparameters": {"rate": rate}})
            eventually(lambda: owner.rounds(federation.run_id), lambda rounds: len(rounds) == 2)
    with federation.owner("clinic-b") as owner:
        assert owner.run(made[0])["note"]["tags"] == ["a", "b"]
        found = owner.compare(made)
        assert found["best"] == made[1]
        assert {"name": "rate", "values": [0.1, 0.5]} in found["differences"]
        assert [run["losses_e9"][-1] for run in found["runs"]] == [1_500_000_000, 1_100_000_000]
        with pytest.raises(errors.InvalidInput, match="1 runs"):
            owner.compare(made[:1])
        with pytest.raises(errors.InvalidInput):
            owner.write_note(made[0], {"tags": ["Not a tag"]})
    with federation.world.client(new_key()) as stranger, pytest.raises(errors.NotFound):
        stranger.write_note(made[0], {"project": "mine"})
