"""Commands that only read take a program's token where people give their wallet."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Final

import pytest
from typer.main import get_command
from typer.testing import CliRunner

from marketplace import errors
from marketplace.cli.main import app
from tests.marketplace.test_cli import leaves_of
from tests.marketplace.world import Federation, World

# Every command that reads, and what it is asked; {…} stand for what is there.
READING: Final = {
    "admission list": (),
    "agreement list": (),
    "agreement show": ("{agreement}",),
    "agreement history": ("{agreement}",),
    "announcements": (),
    "draft list": (),
    "draft show": ("{draft}",),
    "draft diff": ("{draft}",),
    "lease list": (),
    "lease seats": (),
    "motion list": (),
    "motion show": ("{motion}",),
    "node list": (),
    "rewards show": ("{run}",),
    "rewards ledger": ("--run", "{run}"),
    "rewards statement": ("clinic-a",),
    "run list": (),
    "run show": ("{run}",),
    "run usage": ("{run}",),
    "run compare": ("{run}", "{other run}"),
    "trail show": (),
    "webhook list": (),
}
# These change something, and need no signature: a token with their scope does.
WITH_A_SCOPE: Final = {"lease export", "lease end"}
# Who may act for an organization, tokens among them, is between a person and the marketplace.
OF_PERSONS: Final = {"org members", "token list"}


@pytest.fixture(scope="module")
def known(world: World) -> dict[str, str]:
    federation = Federation(world)
    federation.agree()
    federation.enroll("clinic-a")
    federation.start(f"by-token-{federation.number}")
    other = federation.run_id
    federation.start(f"by-token-{federation.number}-again")
    with federation.owner("clinic-a") as owner:
        amendment = owner.drafts.start(amends=federation.agreement_id)
        wanted = amendment["proposal"]
        wanted["fields"]["purpose"] = "Another one."
        owner.drafts.propose(amendment["id"], 1, wanted)
        motion = owner.governance.propose(federation.agreement_id, "suspend")
        made = owner.new_token("reader", ["read"], 1)
    with world.client(world.admin) as admin:
        of_admin = admin.new_token("reader of all", ["read", "admin"], 1)
    return {
        "agreement": federation.agreement_id,
        "run": federation.run_id,
        "other run": other,
        "draft": amendment["id"],
        "motion": motion["id"],
        "token": made["token"],
        "admin token": of_admin["token"],
    }


@pytest.fixture(autouse=True)
def no_wallet(monkeypatch: pytest.MonkeyPatch, world: World) -> None:
    monkeypatch.setenv("SWARM_MARKET_URL", world.market_url)
    monkeypatch.delenv("SWARM_MARKET_WALLET", raising=False)


@pytest.mark.parametrize("command", READING)
def test_a_command_that_reads_takes_a_token(
    command: str, known: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    whose = "admin token" if command == "trail show" else "token"  # the trail is for admins
    monkeypatch.setenv("SWARM_MARKET_TOKEN", known[whose])
    asked = [*command.split(), *(each.format(**known) for each in READING[command])]
    done = CliRunner().invoke(app, asked)
    assert done.exit_code == 0, done.exception or done.output
    monkeypatch.delenv("SWARM_MARKET_TOKEN")
    with pytest.raises(errors.SignInRequired, match="a wallet or a token"):
        CliRunner().invoke(app, asked, catch_exceptions=False)


def test_every_command_that_can_do_without_a_wallet_is_in_the_table() -> None:
    required = dict(_wallets())
    assert {name for name in required if not required[name]} == set(READING) | WITH_A_SCOPE
    reads = re.compile("(^| )(list|show|history|members|statement|ledger|compare|diff)$")
    assert {name for name in required if required[name] and reads.search(name)} == OF_PERSONS


def test_a_token_signs_nothing(known: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SWARM_MARKET_TOKEN", known["token"])
    done = CliRunner().invoke(app, ["rewards", "claim", known["run"]])
    assert done.exit_code == 2
    assert "--wallet" in done.output


def _wallets() -> Iterator[tuple[str, bool]]:
    """Commands that ask the marketplace with a keystore, and whether they have to have one."""
    whole: Any = get_command(app)
    for path in leaves_of(app):
        command = whole
        for name in path:
            command = command.commands[name]
        for each in command.params:
            if "--wallet" in each.opts:
                yield " ".join(path), each.required
