"""Whom the marketplace posts for: others may draft and sign, and post by themselves."""

from __future__ import annotations

from pathlib import Path

import pytest

from contracts.keys import Signer, new_key
from marketplace import errors
from tests.marketplace.processes import run, wallet
from tests.marketplace.world import World, draft, eventually

PASSWORD = "correct horse"


@pytest.fixture
def strangers() -> dict[str, Signer]:
    number = new_key().address[2:8].lower()
    return {f"stranger-{number}": new_key(), f"other-{number}": new_key()}


@pytest.fixture
def signed(world: World, strangers: dict[str, Signer]) -> str:
    """An agreement between two organizations whom no admin knows."""
    fields = draft(strangers, world.treasury.address, metering="equal")
    for signer in strangers.values():
        with world.client(signer) as owner:
            made = owner.draft(fields | {"not_before": 1_790_000_000})
            shown = owner.sign_agreement(made["id"])
    assert shown["operation"] is None
    assert (shown["state"], shown["admitted"]) == ("signed", False)
    return str(shown["id"])


def test_gas_and_names_are_not_spent_on_whom_nobody_vouches_for(
    world: World, strangers: dict[str, Signer], signed: str
) -> None:
    name, signer = next(iter(strangers.items()))
    with world.client(signer) as owner:
        with pytest.raises(errors.NotAllowed) as refused:
            owner.request("POST", f"/api/agreements/{signed}/activation")
        assert "swarm-market agreement post" in refused.value.hint
        with pytest.raises(errors.NotAllowed, match="posts for agreements that an admin drafted"):
            owner.enrollment_token(signed, name, "site-1")


def test_they_may_post_by_themselves_and_still_claim_no_name_here(
    world: World, strangers: dict[str, Signer], signed: str, tmp_path: Path
) -> None:
    name, signer = next(iter(strangers.items()))
    keystore = str(wallet(tmp_path / "own.json", signer, PASSWORD))
    arguments = ("--wallet", keystore, "--market", world.market_url)
    posted = run("agreement", "post", signed, *arguments, password=PASSWORD)
    assert posted.stdout.startswith("in force: transaction 0x")
    with world.client(signer) as owner:
        eventually(lambda: owner.agreement(signed)["state"], lambda seen: seen == "active")
        with pytest.raises(errors.NotAllowed):
            owner.enrollment_token(signed, name, "site-1")
        with pytest.raises(errors.NotAllowed):
            owner.wait(owner.create_run(signed, "free-of-charge")["id"])
    # The name is still free for whom an admin vouches for.
    rightful = {name: new_key(), f"{name}-partner": new_key()}
    with world.client(world.admin) as admin:
        admin.draft(draft(rightful, world.treasury.address, metering="equal"))


def test_an_admin_admits_organizations_and_their_agreement_is_posted(
    world: World, strangers: dict[str, Signer], signed: str
) -> None:
    with world.client(world.admin) as admin:
        for name, signer in strangers.items():
            assert admin.governance.admit(name, signer.address)["organization"] == name
        first = next(iter(strangers))
        with pytest.raises(errors.Conflict, match="is admitted with"):
            admin.governance.admit(first, new_key().address)
        assert first in [each["organization"] for each in admin.governance.admissions()]
    with world.client(next(iter(strangers.values()))) as owner:
        mine = [each["organization"] for each in owner.governance.admissions()]
        assert mine == sorted(strangers)  # of his partners, and of nobody else
        shown = owner.request("POST", f"/api/agreements/{signed}/activation")
        owner.wait(shown["operation"]["id"])
        assert owner.agreement(signed)["state"] == "active"
    thief = {next(iter(strangers)): new_key(), "accomplice": new_key()}
    taken = pytest.raises(errors.Conflict, match="belongs to another wallet")
    with world.client(world.admin) as admin, taken:
        admin.draft(draft(thief, world.treasury.address, metering="equal"))


def test_a_name_is_kept_for_whom_it_was_admitted(world: World) -> None:
    name = f"kept-{new_key().address[2:8].lower()}"
    with world.client(world.admin) as admin:
        admin.governance.admit(name, new_key().address)
        thief = {name: new_key(), "accomplice": new_key()}
        with pytest.raises(errors.Conflict, match="belongs to another wallet"):
            admin.draft(draft(thief, world.treasury.address, metering="equal"))
        admin.governance.dismiss(name)
        admin.draft(draft(thief, world.treasury.address, metering="equal"))
        with pytest.raises(errors.NotFound):
            admin.governance.dismiss(name)
