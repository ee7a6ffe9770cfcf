"""What parties decide about an agreement in force, and what they do alone."""

from __future__ import annotations

from typing import Any

import pytest

from contracts.consortium import State
from contracts.keys import new_key
from contracts.messages import pack_rejects
from marketplace import errors
from tests.marketplace.test_pages import browser
from tests.marketplace.world import CLINICS, Federation, eventually

pytestmark = pytest.mark.slow

NAMES = tuple(CLINICS)


@pytest.fixture
def agreed(federation: Federation) -> Federation:
    federation.agree()
    return federation


def carry(federation: Federation, *voters: str, action: str, **wish: str) -> dict[str, Any]:
    """The first voter proposes, all sign, the last one posts."""
    with federation.owner(voters[0]) as owner:
        motion = owner.governance.propose(federation.agreement_id, action, **wish)
    for name in voters:
        with federation.owner(name) as owner:
            motion = owner.governance.vote(motion["id"])
    with federation.owner(voters[-1]) as owner:
        motion = owner.governance.post_motion(motion["id"])
        owner.wait(motion["operation"]["id"])
        return owner.governance.motion(motion["id"])


def chain_state(federation: Federation) -> State:
    key = bytes.fromhex(federation.agreement_id[2:])
    return federation.world.on_chain(lambda contracts: contracts.consortium.state(key))


def state(federation: Federation) -> str:
    with federation.owner("clinic-a") as owner:
        return str(owner.agreement(federation.agreement_id)["state"])


def test_a_suspension_is_voted_posted_shown_and_undone(agreed: Federation) -> None:
    carried = carry(agreed, *NAMES, action="suspend", reason="A node leaks.")
    assert carried["state"] == "carried"
    assert "Undone by a motion to resume" in carried["effect"]
    assert chain_state(agreed) == State.SUSPENDED
    assert state(agreed) == "suspended"
    carry(agreed, *NAMES, action="resume")
    assert chain_state(agreed) == State.ACTIVE
    assert state(agreed) == "active"
    with agreed.owner("clinic-a") as owner:
        told = owner.governance.history(agreed.agreement_id)
    assert [each["kind"] for each in told] == ["StateChanged", "StateChanged", "AgreementActivated"]
    assert told[1]["what"].startswith("Suspended by vote")
    assert "motion to resume" in told[1]["undo"]
    assert told[1]["transaction"].startswith("0x")
    assert told[1]["block"] > told[2]["block"]


def to_do(federation: Federation) -> str:
    with browser(federation.world, federation.world.admin) as admin:
        page = admin.get("/admin").text
    return page.partition("To do")[2].partition("</section>")[0]


def decisions(federation: Federation) -> str:
    with browser(federation.world, federation.wallets["clinic-c"]) as owner:
        return owner.get(f"/agreements/{federation.agreement_id}/decisions").text


def test_an_admin_is_told_what_is_voted_on_and_what_stands_still(agreed: Federation) -> None:
    link = f"/agreements/{agreed.agreement_id}/decisions"
    with agreed.owner("clinic-a") as owner:
        motion = owner.governance.propose(agreed.agreement_id, "terminate")
        owner.governance.vote(motion["id"])
    told = to_do(agreed).partition(link)[2][:300]
    assert "a motion to terminate has 1 vote" in told
    carry(agreed, *NAMES, action="suspend")
    eventually(lambda: state(agreed), lambda seen: seen == "suspended")
    told = to_do(agreed).partition(link)[2][:300]
    assert "is suspended" in told
    assert "motion to terminate has" not in told
    with agreed.owner("clinic-a") as owner, pytest.raises(errors.Conflict, match="not in force"):
        owner.prepare_run(agreed.agreement_id, "while-suspended")


def test_too_few_votes_are_not_posted_and_a_wrong_vote_is_refused(agreed: Federation) -> None:
    with agreed.owner("clinic-a") as owner:
        motion = owner.governance.propose(agreed.agreement_id, "suspend")
        motion = owner.governance.vote(motion["id"])
        assert (motion["votes"], motion["needed"]) == (1, 3)
        with pytest.raises(errors.Conflict, match="1 of 3 votes"):
            owner.governance.post_motion(motion["id"])
    path = f"/api/motions/{motion['id']}/votes"
    body = {"organization": "clinic-b", "signature": "0x" + "11" * 64 + "1b"}
    with agreed.owner("clinic-b") as owner, pytest.raises(errors.WrongSignature):
        owner.request("POST", path, body)
    with agreed.world.client(new_key()) as stranger, pytest.raises(errors.NotFound):
        stranger.governance.motion(motion["id"])
    with (
        agreed.world.client(agreed.world.admin) as admin,
        pytest.raises(errors.NotAllowed, match="parties' own"),
    ):
        admin.governance.propose(agreed.agreement_id, "suspend")


def test_a_motion_that_was_outrun_says_so(agreed: Federation) -> None:
    with agreed.owner("clinic-a") as owner:
        motion = owner.governance.propose(agreed.agreement_id, "terminate")
    carry(agreed, *NAMES, action="suspend")
    with agreed.owner("clinic-a") as owner:
        assert owner.governance.motion(motion["id"])["state"] == "outrun"
        with pytest.raises(errors.Conflict, match="outrun"):
            owner.governance.post_motion(motion["id"])


def test_who_is_to_be_removed_has_no_vote_and_is_out(agreed: Federation) -> None:
    with agreed.owner("clinic-c") as owner:
        motion = owner.governance.propose(
            agreed.agreement_id, "remove", organization="clinic-c", reason="We close."
        )
        with pytest.raises(errors.NotFound, match="none of those who may sign"):
            owner.governance.vote(motion["id"])
    carry(agreed, "clinic-a", "clinic-b", action="remove", organization="clinic-c")
    with agreed.owner("clinic-a") as owner:
        shown = owner.agreement(agreed.agreement_id)
        told = owner.governance.history(agreed.agreement_id)
    assert [each["out"] for each in shown["parties"]] == [False, False, True]
    assert told[0]["what"] == "clinic-c was removed by vote, with all its nodes"
    assert told[0]["undo"].startswith("Cannot be undone")


def test_a_party_leaves_by_its_own_signature(agreed: Federation) -> None:
    with agreed.owner("clinic-b") as owner:
        prepared = owner.governance.prepare("leave", agreed.agreement_id, "clinic-b")
        assert "keeps its wallet and what it was credited" in prepared["effect"]
        with pytest.raises(errors.NotAllowed):
            owner.governance.prepare("leave", agreed.agreement_id, "clinic-a")
        owner.wait(owner.governance.act(prepared)["id"])
        shown = owner.agreement(agreed.agreement_id)
    assert shown["parties"][1]["out"]
    with agreed.owner("clinic-a") as owner:
        told = owner.governance.history(agreed.agreement_id)
    assert told[0]["what"] == "clinic-b left, with all its nodes"


def test_a_node_is_retired_by_its_owner(agreed: Federation) -> None:
    agreed.enroll("clinic-a")
    with agreed.owner("clinic-a") as owner:
        prepared = owner.governance.prepare("retire", agreed.agreement_id, "clinic-a", "site-1")
        assert "new token" in prepared["effect"]
        owner.wait(owner.governance.act(prepared)["id"])
        assert owner.nodes(agreed.agreement_id)[0]["retired"]
        with pytest.raises(errors.NotFound, match="no node site-1"):
            owner.governance.prepare("retire", agreed.agreement_id, "clinic-a", "site-1")


def test_a_wallet_moves_and_its_view_moves_with_it(agreed: Federation) -> None:
    new = new_key()
    with agreed.owner("clinic-a") as owner:
        prepared = owner.governance.prepare(
            "move-wallet", agreed.agreement_id, "clinic-a", wallet=new.address
        )
        with pytest.raises(errors.WrongSignature):
            owner.governance.act(prepared)  # the new wallet has to sign too
        operation = owner.governance.act(prepared, new)
        owner.wait(operation["id"])
    with agreed.world.client(new) as owner:
        eventually(owner.agreements, lambda seen: [each["id"] for each in seen] != [])
        shown = owner.agreement(agreed.agreement_id)
        assert shown["parties"][0]["wallet"] == new.address
        back = owner.governance.prepare(
            "move-wallet", agreed.agreement_id, "clinic-a", wallet=CLINICS["clinic-a"].address
        )
        owner.wait(owner.governance.act(back, CLINICS["clinic-a"])["id"])
    with agreed.owner("clinic-a") as owner:
        eventually(owner.agreements, lambda seen: agreed.agreement_id in [e["id"] for e in seen])


def test_a_lost_wallet_is_replaced_after_a_delay_within_which_it_can_veto(
    agreed: Federation,
) -> None:
    new = new_key()
    carry(
        agreed,
        *("clinic-a", "clinic-b"),
        action="replace-wallet",
        organization="clinic-c",
        wallet=new.address,
    )
    with agreed.owner("clinic-c") as owner:  # still its wallet
        told = owner.governance.history(agreed.agreement_id)
        assert "is to become the wallet of clinic-c" in told[0]["what"]
        assert "veto" in told[0]["undo"]
        alarm = decisions(agreed).partition("The wallet of clinic-c is being replaced")[2]
        assert new.address in alarm
        assert "Veto" in alarm.partition("</section>")[0]
        prepared = owner.governance.prepare("veto", agreed.agreement_id, "clinic-c")
        owner.wait(owner.governance.act(prepared)["id"])
        told = owner.governance.history(agreed.agreement_id)
        assert "Vetoed" in [each["kind"] for each in told[:2]]
        assert "is being replaced" not in decisions(agreed)
        with pytest.raises(errors.Conflict, match="no replacement"):
            owner.governance.prepare("veto", agreed.agreement_id, "clinic-c")
        assert owner.agreement(agreed.agreement_id)["parties"][2]["wallet"] == owner.wallet.address


def test_an_amendment_is_negotiated_signed_and_in_force(agreed: Federation) -> None:
    newcomer = new_key()
    with agreed.owner("clinic-b") as owner:
        draft = owner.drafts.start(amends=agreed.agreement_id)
        assert "This is version 2 of the agreement" in draft["document"]
        changed = draft["proposal"]
        changed["fields"]["duration_days"] = 500
        changed["parties"].append({"organization": f"newcomer-{agreed.number}"})
        shown = owner.drafts.propose(draft["id"], 1, changed)
        link = owner.drafts.invite(draft["id"], f"newcomer-{agreed.number}")["link"]
    with agreed.world.client(newcomer) as partner:
        shown = partner.drafts.join(link)
        offered = partner.drafts.offer(draft["id"], shown["version"])["offered"]
        signed = partner.governance.sign_amendment(offered)
    for name in NAMES:
        with agreed.owner(name) as owner:
            signed = owner.governance.sign_amendment(offered)
    with agreed.owner("clinic-a") as owner:
        owner.wait(signed["operation"]["id"])
        seen = eventually(
            lambda: owner.agreement(agreed.agreement_id),
            lambda now: len(now["parties"]) == 4,
        )
        assert seen["version"] == 2
        assert seen["not_after_s"] - seen["not_before_s"] == 500 * 86_400
        assert owner.governance.amendments(agreed.agreement_id)[0]["state"] == "in force"
        told = owner.governance.history(agreed.agreement_id)
        assert told[0]["what"] == "Amended: version 2 is in force"
    with agreed.world.client(newcomer) as partner:
        assert partner.agreement(agreed.agreement_id)["version"] == 2


def test_an_amendment_keeps_the_parties_there_are(agreed: Federation) -> None:
    with agreed.owner("clinic-a") as owner:
        draft = owner.drafts.start(amends=agreed.agreement_id)
        fewer = draft["proposal"] | {"parties": draft["proposal"]["parties"][:2]}
        with pytest.raises(errors.Conflict, match="keeps the parties there are"):
            owner.drafts.propose(draft["id"], 1, fewer)


def test_a_quarantine_is_lifted_by_vote(federation: Federation) -> None:
    federation.agree(strikes=1, strike_rounds=1, quarantine_time=86_400)
    for name in NAMES:
        federation.enroll(name)
    federation.start(f"struck-{federation.number}")
    federation.seal(2.0)
    federation.seal(1.9, {0: 5_000, 1: 5_000}, pack_rejects(((2, 1),)))
    with federation.owner("clinic-a") as owner:
        told = eventually(
            lambda: owner.governance.history(federation.agreement_id),
            lambda seen: seen[0]["kind"] == "Quarantined",
        )
    assert told[0]["what"].startswith("clinic-c is in quarantine until")
    assert "pardon" in told[0]["undo"]
    carried = carry(
        federation, *NAMES, action="pardon", organization="clinic-c", run=federation.run_id
    )
    assert carried["state"] == "carried"
    run = bytes.fromhex(federation.run_id[2:])
    assert federation.world.on_chain(lambda contracts: contracts.clerk.quarantined(run)) == 0
    with federation.owner("clinic-a") as owner:
        told = owner.governance.history(federation.agreement_id)
        assert told[0]["what"] == "clinic-c was let back into the run by vote"
        with pytest.raises(errors.NotFound, match="no run"):
            owner.governance.propose(
                federation.agreement_id, "pardon", organization="clinic-c", run="0x" + "ee" * 32
            )
