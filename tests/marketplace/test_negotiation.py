"""From a template to an agreement in force: invitations, counter-proposals, comments, the offer."""

from __future__ import annotations

import hashlib
from typing import Any

import pytest

from contracts.keys import Signer, new_key
from marketplace import errors
from tests.marketplace.world import CLINICS, World

ANSWERS = {
    "model": "Logistic regression over 30 features.",
    "law": "Dutch law; the courts of Utrecht",
    "initial_root": "0x" + "11" * 32,
    "schema_hash": "0x" + "22" * 32,
    "validation_root": "0x" + "33" * 32,
}


def proposal(world: World, *organizations: str, **answers: str) -> dict[str, Any]:
    names = organizations or tuple(CLINICS)
    return {
        "template": "healthcare",
        "answers": ANSWERS | {"sponsor": world.treasury.address} | answers,
        "parties": [{"organization": name} for name in names],
    }


def started(world: World, **answers: str) -> dict[str, Any]:
    with world.client(world.admin) as admin:
        return admin.drafts.start(proposal(world, **answers))


def invite(world: World, draft: str, organization: str) -> str:
    with world.client(world.admin) as admin:
        return str(admin.drafts.invite(draft, organization)["link"])


def join(world: World, draft: str, organization: str, wallet: Signer) -> dict[str, Any]:
    with world.client(wallet) as partner:
        return partner.drafts.join(invite(world, draft, organization))


def all_join(world: World, draft: str) -> dict[str, Any]:
    for name, wallet in CLINICS.items():
        shown = join(world, draft, name, wallet)
    return shown


def test_partners_join_by_link_negotiate_and_sign_what_was_offered_last(world: World) -> None:
    draft = started(world)
    assert len(draft["open_items"]) == 3
    shown = all_join(world, draft["id"])
    assert shown["open_items"] == []
    assert [each["organization"] for each in shown["versions"]] == [None, *CLINICS]

    with world.client(CLINICS["clinic-b"]) as partner:
        partner.drafts.comment(draft["id"], "Forty rounds are too few for us.")
        last = shown["versions"][-1]["version"]
        counter = shown["proposal"]
        counter["answers"]["max_rounds"] = "60"
        shown = partner.drafts.propose(draft["id"], last, counter, "More rounds.")
        changes = partner.drafts.changes(draft["id"])
    assert [(row["label"], row["before"], row["after"]) for row in changes["terms"]] == [
        ("Rounds of a run", "40 rounds", "60 rounds")
    ]
    moved = [each for each in changes["text"] if not each["same"]]
    assert {"change": "removed", "text": "40"} in moved[0]["before"]
    assert {"change": "added", "text": "60"} in moved[0]["after"]
    assert shown["comments"][0]["organization"] == "clinic-b"

    with world.client(world.admin) as admin:
        offered = admin.drafts.offer(draft["id"], shown["version"])
    assert offered["state"] == "offered"
    with world.client(CLINICS["clinic-a"]) as owner:
        agreement = owner.agreement(offered["offered"])
        assert agreement["document"] == shown["document"]
        assert agreement["document_sha256"] == shown["document_sha256"]
        text_hash = hashlib.sha256(shown["document"].encode()).hexdigest()
        assert shown["document_sha256"] == "0x" + text_hash
    for wallet in CLINICS.values():
        with world.client(wallet) as owner:
            signed = owner.sign_agreement(offered["offered"])
            if signed["operation"]:
                owner.wait(signed["operation"]["id"])
                assert owner.agreement(offered["offered"])["state"] == "active"
                assert owner.governance.history(offered["offered"])[0]["block"] > 0


def test_a_link_is_good_once_and_for_nobody_after(world: World) -> None:
    draft = started(world)
    link = invite(world, draft["id"], "clinic-a")
    with world.client() as visitor:
        seen = visitor.drafts.read_invitation(link)
        assert seen["organization"] == "clinic-a"
        assert seen["document"].startswith("# Swarm learning agreement in healthcare")
        with pytest.raises(errors.SignInRequired):
            visitor.drafts.join(link)
    with world.client(CLINICS["clinic-a"]) as partner:
        first = partner.drafts.join(link)
        assert partner.drafts.join(link)["version"] == first["version"]  # a second click
    with world.client(new_key()) as thief, pytest.raises(errors.NotFound, match="was used"):
        thief.drafts.join(link)
    with world.client() as visitor, pytest.raises(errors.NotFound):
        visitor.drafts.read_invitation(link)


def test_a_newer_link_and_a_revocation_end_the_older_one(world: World) -> None:
    draft = started(world)
    old = invite(world, draft["id"], "clinic-a")
    new = invite(world, draft["id"], "clinic-a")
    with world.client() as visitor:
        with pytest.raises(errors.NotFound):
            visitor.drafts.read_invitation(old)
        visitor.drafts.read_invitation(new)
    with world.client(world.admin) as admin:
        invitations = admin.drafts.show(draft["id"])["invitations"]
        good = [each["id"] for each in invitations if each["revoked_s"] is None]
        admin.drafts.revoke(draft["id"], good[0])
    with world.client() as visitor, pytest.raises(errors.NotFound, match="taken back"):
        visitor.drafts.read_invitation(new)


def test_a_stranger_sees_no_draft(world: World) -> None:
    draft = started(world)
    with world.client(new_key()) as stranger:
        assert stranger.drafts.list() == []
        for act in (
            lambda: stranger.drafts.show(draft["id"]),
            lambda: stranger.drafts.changes(draft["id"]),
            lambda: stranger.drafts.comment(draft["id"], "hello"),
            lambda: stranger.drafts.invite(draft["id"], "clinic-a"),
            lambda: stranger.drafts.offer(draft["id"], 1),
        ):
            with pytest.raises(errors.NotFound):
                act()
        with pytest.raises(errors.NotAllowed, match="begun by one of their parties"):
            stranger.drafts.start(proposal(world))


def test_who_was_slower_is_told_what_was_proposed_meanwhile(world: World) -> None:
    draft = started(world)
    with world.client(world.admin) as admin:
        admin.drafts.propose(draft["id"], 1, proposal(world, max_rounds="50"))
        with pytest.raises(errors.Conflict, match="version 2 was proposed meanwhile"):
            admin.drafts.propose(draft["id"], 1, proposal(world, max_rounds="60"))
        with pytest.raises(errors.Conflict, match="says the same"):
            admin.drafts.propose(draft["id"], 2, proposal(world, max_rounds="50"))


def test_only_the_last_version_can_be_offered_and_only_when_nothing_is_open(world: World) -> None:
    draft = started(world)
    early = pytest.raises(errors.Conflict, match="the wallet of clinic-a")
    with world.client(world.admin) as admin, early:
        admin.drafts.offer(draft["id"], 1)
    all_join(world, draft["id"])
    with world.client(world.admin) as admin, pytest.raises(errors.Conflict, match="only the last"):
        admin.drafts.offer(draft["id"], 1)


def test_a_counter_proposal_takes_the_offer_back(world: World) -> None:
    draft = started(world)
    version = all_join(world, draft["id"])["version"]
    with world.client(world.admin) as admin:
        offered = admin.drafts.offer(draft["id"], version)
    with world.client(CLINICS["clinic-a"]) as owner:
        owner.sign_agreement(offered["offered"])
        counter = offered["proposal"]
        counter["answers"]["max_rounds"] = "60"
        shown = owner.drafts.propose(draft["id"], version, counter)
        assert (shown["state"], shown["offered"]) == ("open", None)
        assert owner.agreement(offered["offered"])["state"] == "withdrawn"
    late = pytest.raises(errors.Conflict, match="no longer offered")
    with world.client(CLINICS["clinic-b"]) as owner, late:
        owner.sign_agreement(offered["offered"])


def test_a_draft_is_withdrawn_by_who_began_it(world: World) -> None:
    draft = started(world)
    join(world, draft["id"], "clinic-a", CLINICS["clinic-a"])
    with world.client(CLINICS["clinic-a"]) as owner, pytest.raises(errors.NotAllowed):
        owner.drafts.withdraw(draft["id"])
    with world.client(world.admin) as admin:
        assert admin.drafts.withdraw(draft["id"])["state"] == "withdrawn"
        with pytest.raises(errors.Conflict, match="withdrawn"):
            admin.drafts.propose(draft["id"], 2, proposal(world, max_rounds="50"))


def test_answers_that_cannot_be_meant_are_told_by_field(world: World) -> None:
    with (
        world.client(world.admin) as admin,
        pytest.raises(errors.InvalidInput, match="max_rounds: must be a whole number"),
    ):
        admin.drafts.start(proposal(world, max_rounds="many"))
