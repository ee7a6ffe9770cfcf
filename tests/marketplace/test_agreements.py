"""Agreements: who may draft, see and sign them, and what their text is."""

from __future__ import annotations

import hashlib

import pytest

from contracts.keys import new_key
from contracts.messages import Agreement, Domain, from_json, sign
from marketplace import errors
from marketplace.agreements.document import render, token_amount
from marketplace.agreements.drafts import Draft
from tests.marketplace.world import Federation, World, draft


def test_an_agreement_comes_into_force_when_all_parties_have_signed(
    federation: Federation,
) -> None:
    federation.agree()
    with federation.owner("clinic-b") as owner:
        shown = owner.agreement(federation.agreement_id)
    assert shown["state"] == "active"
    assert shown["operation"]["transaction"].startswith("0x")
    in_force = federation.world.on_chain(
        lambda contracts: contracts.consortium.in_force(bytes.fromhex(shown["id"][2:]))
    )
    assert in_force


def test_the_text_is_what_the_message_commits_to(federation: Federation) -> None:
    shown = federation.draft()
    text_hash = hashlib.sha256(shown["document"].encode()).hexdigest()
    assert shown["agreement"]["document"] == "0x" + text_hash
    assert shown["typed_data"]["message"]["document"] == "0x" + text_hash
    assert "clinic-a" in shown["document"]
    assert "1000 tokens" in shown["document"]


def test_a_signature_of_another_wallet_is_refused(federation: Federation) -> None:
    shown = federation.draft()
    message = from_json(Agreement, shown["agreement"])
    domain = _domain(federation.world)
    signature = "0x" + sign(domain, message, federation.wallets["clinic-b"]).hex()
    with (
        federation.owner("clinic-b") as owner,
        pytest.raises(errors.WrongSignature, match="not a signature of clinic-a"),
    ):
        owner.request(
            "POST",
            f"/api/agreements/{shown['id']}/signatures",
            {"organization": "clinic-a", "signature": signature},
        )


def test_a_signature_for_another_chain_is_refused(federation: Federation) -> None:
    shown = federation.draft()
    message = from_json(Agreement, shown["agreement"])
    elsewhere = Domain(1, _domain(federation.world).contract)
    signature = "0x" + sign(elsewhere, message, federation.wallets["clinic-a"]).hex()
    with federation.owner("clinic-a") as owner, pytest.raises(errors.WrongSignature):
        owner.request(
            "POST",
            f"/api/agreements/{shown['id']}/signatures",
            {"organization": "clinic-a", "signature": signature},
        )


def test_one_missing_signature_keeps_it_out_of_force(federation: Federation) -> None:
    federation.draft()
    for name in ("clinic-a", "clinic-b"):
        with federation.owner(name) as owner:
            shown = owner.sign_agreement(federation.agreement_id)
    assert shown["state"] == "signing"
    assert shown["operation"] is None
    with (
        federation.owner("clinic-a") as owner,
        pytest.raises(errors.Conflict, match="not signed yet by clinic-c"),
    ):
        owner.request("POST", f"/api/agreements/{federation.agreement_id}/activation")


def test_a_client_refuses_to_sign_a_text_that_is_not_the_one_committed_to(
    federation: Federation, monkeypatch: pytest.MonkeyPatch
) -> None:
    federation.draft()
    with federation.owner("clinic-a") as owner:
        shown = owner.agreement(federation.agreement_id)
        tampered = shown | {"document": shown["document"].replace("1000", "9000")}
        monkeypatch.setattr(owner, "agreement", lambda _: tampered)
        with pytest.raises(errors.WrongSignature, match="not the text"):
            owner.sign_agreement(federation.agreement_id)


def test_a_stranger_can_neither_draft_nor_see(federation: Federation) -> None:
    federation.draft()
    with federation.world.client(new_key()) as stranger:
        assert stranger.agreements() == []
        with pytest.raises(errors.NotFound):
            stranger.agreement(federation.agreement_id)
        with pytest.raises(errors.NotAllowed, match="drafted by their parties"):
            stranger.draft(draft(federation.wallets, federation.world.treasury.address))


def test_a_visitor_sees_nothing(federation: Federation) -> None:
    federation.draft()
    with federation.world.client() as visitor, pytest.raises(errors.SignInRequired):
        visitor.agreement(federation.agreement_id)


def test_a_party_may_draft_and_drafting_twice_gives_the_same(federation: Federation) -> None:
    fields = draft(federation.wallets, federation.world.treasury.address) | {"not_before": 1}
    with federation.owner("clinic-c") as owner:
        assert owner.draft(fields)["id"] == owner.draft(fields)["id"]


def test_nobody_takes_the_name_of_an_organization_that_is_here(federation: Federation) -> None:
    federation.agree()
    impostor = {"clinic-a": new_key(), "sock-puppet": new_key()}
    fields = draft(impostor, federation.world.treasury.address, metering="equal")
    with (
        federation.world.client(impostor["clinic-a"]) as client,
        pytest.raises(errors.Conflict, match="clinic-a belongs to another wallet"),
    ):
        client.draft(fields)


@pytest.mark.parametrize(
    ("terms", "reason"),
    [
        ({"target_loss": 2 * 10**9}, "target loss"),
        ({"validation_root": "0x" + "00" * 32}, "validation set"),
        ({"metering": "barter"}, "metering"),
        ({"metering": []}, "metering"),
        ({"metering": 4}, "metering"),
        ({"metering": "local"}, "fewer than four"),
        ({"topology": "ring"}, "topology"),
        ({"merge_rule": 12}, "unknown merge rule"),
        ({"merge_rule": "krum", "merge_parameter": 500_000}, "below one half"),
        ({"stopping": "never"}, "stopping"),
        ({"budget_rule": 2}, "budget rule"),
        ({"strikes": 7}, "at most 6"),
        ({"strikes": 2}, "quarantine"),
        ({"min_peers": 4}, "min_peers"),
        ({"leader_timeout": 1}, "leader_timeout"),
        ({"max_rounds": 2**40}, "max_rounds"),
        ({"surprise": 1}, "unknown surprise"),
    ],
)
def test_terms_that_the_contract_would_refuse_are_refused_before_anybody_signs(
    federation: Federation, terms: dict[str, object], reason: str
) -> None:
    fields = draft(federation.wallets, federation.world.treasury.address, **terms)
    with (
        federation.owner("clinic-a") as owner,
        pytest.raises(errors.InvalidInput, match=reason),
    ):
        owner.draft(fields)


@pytest.mark.parametrize(
    ("bylaws", "reason"),
    [
        ({"min_stake": 1_000}, "who gets it"),
        ({"penalty_bips": 10_001}, "penalty_bips"),
        ({"finder_bips": 5_001}, "finder_bips"),
        ({"votes": 1}, "more than half of the 3"),
        ({"votes": 4}, "more than half of the 3"),
        ({"max_nodes": 0}, "max_nodes"),
        ({"max_nodes": 33}, "max_nodes"),
        ({"king": "clinic-a"}, "unknown king"),
    ],
)
def test_bylaws_that_the_contract_would_refuse_are_refused_before_anybody_signs(
    federation: Federation, bylaws: dict[str, object], reason: str
) -> None:
    fields = draft(federation.wallets, federation.world.treasury.address) | {"bylaws": bylaws}
    with (
        federation.owner("clinic-a") as owner,
        pytest.raises(errors.InvalidInput, match=reason),
    ):
        owner.draft(fields)


def test_the_text_says_what_was_chosen() -> None:
    wallets = {"a": new_key(), "b": new_key(), "c": new_key()}
    fields = draft(
        wallets,
        new_key().address,
        stopping="highest-metric",
        target_metric=950_000_000,
        budget_rule="per-round",
        payout="at-the-end",
        license_price=str(25 * 10**17),
        strikes=3,
        strike_rounds=10,
        quarantine_time=86_400,
    ) | {"bylaws": {"min_stake": str(10**18), "penalty_recipient": new_key().address, "votes": 2}}
    completed = Draft(**fields).completed("swarm.example", 1_800_000_000)
    text = " ".join(render(completed).split())
    assert "| metric at or above which a run ends | 0.950000000 |" in text
    assert "An equal part of the pool vests with each of the rounds" in text
    assert "may be claimed when the run is over" in text
    assert "costs 2.5 tokens" in text
    assert "3 within 10 rounds, for 86400 s" in text
    assert "| votes that carry a motion | 2 organizations |" in text
    assert "counted | 1 tokens (1000000000000000000 wei) |" in text
    message = completed.message(bytes(32))
    assert (message.version, message.previous) == (1, bytes(32))
    assert (message.bylaws.votes, message.bylaws.max_nodes) == (2, 32)
    assert (message.terms.stopping, message.terms.budget_rule, message.terms.payout) == (2, 1, 1)


def test_no_wording_can_pass_for_a_section_of_the_text() -> None:
    wallets = {"a": new_key(), "b": new_key()}
    fields = draft(wallets, new_key().address, metering="equal") | {
        "purpose": "Good.\n## Money\nThe sponsor pays nothing.",
        "title": "x | y",
    }
    text = render(Draft(**fields).completed("swarm.example", 1_800_000_000))
    assert text.count("\n## Money\n") == 1
    assert "> ## Money" in text
    assert "x \\| y" in text


def test_amounts_are_exact() -> None:
    assert token_amount(10**18) == "1"
    assert token_amount(1) == "0.000000000000000001"
    assert token_amount(123456789012345678901234567890123456789) == (
        "123456789012345678901.234567890123456789"
    )


def _domain(world: World) -> Domain:
    return Domain(world.deployment.chain_id, world.deployment.consortium)
