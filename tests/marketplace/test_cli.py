"""The command line: the whole way of an admin and of owners, exit codes, JSON."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from contracts.keys import new_key
from marketplace.cli.main import app
from marketplace.settings import load
from scripts.ports import free_port
from tests.marketplace.nodes import Node
from tests.marketplace.processes import run, wallet
from tests.marketplace.world import TOKEN_WEI, Federation, World, draft

PASSWORD = "correct horse"


def test_an_admin_and_three_owners_go_the_whole_way_by_command_line(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SWARM_MARKET_URL", world.market_url)
    names = ("north", "south", "west")
    keys = {name: new_key() for name in names}
    wallets = {name: wallet(tmp_path / f"{name}.json", key, PASSWORD) for name, key in keys.items()}
    addresses = {name: key.address for name, key in keys.items()}

    def market(owner: str, *arguments: str) -> str:
        with_wallet = (*arguments, "--wallet", str(wallets[owner]))
        return run(*with_wallet, password=PASSWORD).stdout.strip()

    fields = draft({}, addresses["north"]) | {
        "parties": [{"organization": name, "wallet": addresses[name]} for name in names]
    }
    keystores = {"admin": wallet(tmp_path / "admin.json", world.admin, PASSWORD)}
    for name in names:
        granted = ("admission", "grant", name, addresses[name])
        run(*granted, "--wallet", str(keystores["admin"]), password=PASSWORD)
    file = tmp_path / "agreement.json"
    file.write_text(json.dumps(fields))
    agreement = market("north", "agreement", "draft", "--file", str(file))
    for name in names:
        said = market(name, "agreement", "sign", agreement[:12], "--yes")
    assert said.startswith(f"agreement {agreement}: active")

    node = Node(market("south", "node", "token", agreement, "south", "site-1"))
    node.first_contact()
    node.sign()
    assert "awaiting-owner" in market("south", "node", "list")
    assert market("south", "node", "approve", "south/site-1", "--yes").endswith("enrolled")

    created = market("west", "run", "create", "--agreement", agreement, "--name", "by-hand")
    listed = json.loads(market("west", "run", "list", "--json"))
    assert [(each["id"], each["name"]) for each in listed] == [(created, "by-hand")]
    assert market("west", "run", "show", "by-hand").startswith(f"by-hand {created}: round 0 of 24")

    shown = json.loads(market("north", "rewards", "show", "by-hand", "--json"))
    assert shown["funded_wei"] == "0"
    refused = run(
        *("rewards", "claim", "by-hand", "--wallet", str(wallets["north"])),
        password=PASSWORD,
        expected=10,
    )
    assert "nothing to claim" in refused.stderr
    assert "hint: " in refused.stderr


def test_partners_negotiate_amend_and_govern_by_command_line(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SWARM_MARKET_URL", world.market_url)
    number = new_key().address[2:8].lower()
    one, two = f"one-{number}", f"two-{number}"
    keys = {"admin": world.admin, one: new_key(), two: new_key(), "new": new_key()}
    wallets = {name: wallet(tmp_path / f"{name}.json", key, PASSWORD) for name, key in keys.items()}

    def market(who: str, *arguments: str) -> str:
        with_wallet = (*arguments, "--wallet", str(wallets[who]))
        return run(*with_wallet, password=PASSWORD).stdout.strip()

    assert "fraud-detection" in run("template", "list").stdout
    assert "max_rounds" in run("template", "show", "manufacturing").stdout
    (tmp_path / "model.txt").write_text("Gradient-boosted trees are out; a small network.")
    answers = {
        "model": f"@{tmp_path / 'model.txt'}",
        "law": "Dutch law; Utrecht",
        "metering": "equal",
        "sponsor": world.treasury.address,
        "initial_root": "0x" + "11" * 32,
        "schema_hash": "0x" + "22" * 32,
    }
    sets = [part for item in answers.items() for part in ("--set", "=".join(item))]
    draft = market(
        *("admin", "agreement", "draft", "--template", "manufacturing", *sets),
        *("--party", one, "--party", f"{two}:2"),
    )
    lost = market("admin", "draft", "invite", draft, one)
    assert market("admin", "draft", "revoke", draft, one).startswith("revoked ")
    alone = ("--wallet", str(wallets[one]))
    run("draft", "join", lost, "--yes", *alone, password=PASSWORD, expected=8)
    by_admin = ("--wallet", str(wallets["admin"]))
    run("draft", "revoke", draft, one, *by_admin, password=PASSWORD, expected=8)
    for name in (one, two):
        link = market("admin", "draft", "invite", draft, name)
        joined = market(name, "draft", "join", link, "--yes")
    assert "to be agreed" not in joined
    market(two, "draft", "comment", draft, "Longer, please.")
    market(two, "draft", "propose", draft, "--set", "max_rounds=60", "--note", "Longer.")
    shown = market(one, "draft", "diff", draft)
    assert "[-40-]" in shown
    assert "{+60+}" in shown
    agreement = market(one, "draft", "offer", draft)
    for name in (one, two):
        said = market(name, "agreement", "sign", agreement, "--yes")
    assert said.startswith(f"agreement {agreement}: active")

    refused = run("agreement", "activate", agreement, *alone, password=PASSWORD, expected=9)
    assert "posted before" in refused.stderr

    session = market(one, "sign-in")
    monkeypatch.setenv("SWARM_MARKET_TOKEN", session)
    run("lease", "list")
    assert run("sign-out").stdout == "signed out\n"
    run("lease", "list", expected=5)
    monkeypatch.delenv("SWARM_MARKET_TOKEN")

    market(one, "agreement", "move-wallet", agreement, "--to", str(wallets["new"]), "--yes")
    for _ in range(100):
        if agreement in market("new", "agreement", "list"):
            break
        time.sleep(0.05)  # the view follows the chain in its own time
    longer = market("new", "agreement", "amend", agreement, "--set", "duration_days=900")
    amendment = market("new", "draft", "offer", longer)
    market("new", "agreement", "sign-amendment", amendment, "--yes")
    said = market(two, "agreement", "sign-amendment", amendment, "--yes")
    assert "in force" in said

    motion = market("new", "motion", "propose", agreement, "suspend", "--reason", "A test.")
    market(two, "motion", "sign", motion, "--yes")
    assert "carried" in market(two, "motion", "post", motion)
    assert "suspend" in market(two, "motion", "list", "--agreement", agreement)
    assert "leave: confirmed" in market(two, "agreement", "leave", agreement, "--yes")
    told = market("new", "agreement", "history", agreement)
    for what in ("left", "Suspended by vote", "version 2 is in force", "is the wallet of"):
        assert what in told
    assert "undo: " in told


def test_a_sponsor_funds_a_run_on_chain(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SWARM_MARKET_URL", world.market_url)
    federation = Federation(world)
    federation.agree()
    federation.start("sponsored")
    treasury = wallet(tmp_path / "treasury.json", world.treasury, PASSWORD)
    sponsor = wallet(tmp_path / "sponsor.json", federation.wallets["clinic-a"], PASSWORD)
    address = federation.wallets["clinic-a"].address
    run("mint", address, "12.5", "--wallet", str(treasury), password=PASSWORD)
    funded = run(
        *("fund", federation.run_id, "12.5", "--wallet", str(sponsor), "--json"),
        password=PASSWORD,
    )
    assert json.loads(funded.stdout)["amount_wei"] == str(25 * TOKEN_WEI // 2)
    again = run(
        *("fund", federation.run_id, "900000", "--wallet", str(sponsor)),
        password=PASSWORD,
        expected=10,
    )
    assert "are missing of 900000" in again.stderr


def test_errors_have_codes_and_hints(tmp_path: Path) -> None:
    keystore = str(wallet(tmp_path / "wallet.json", new_key(), PASSWORD))
    cases = (
        (("serve", "--folder", str(tmp_path / "nothing")), 3, "swarm-market init"),
        (("agreement", "list", "--wallet", str(tmp_path / "none.json")), 3, "cannot read"),
        (("init", str(tmp_path / "m"), "--admin", "0x12"), 4, "not an address"),
        (
            ("agreement", "list", "--wallet", keystore, "--market", "http://127.0.0.1:1"),
            11,
            "swarm-market serve",
        ),
        (("agreement", "frobnicate"), 2, ""),
    )
    for arguments, code, said in cases:
        refused = run(*arguments, password=PASSWORD, expected=code)
        assert said in refused.stderr
        assert refused.stdout == ""


def test_a_wallet_is_made_shown_and_opened_with_its_password_only(tmp_path: Path) -> None:
    file = str(tmp_path / "wallet.json")
    made = json.loads(run("wallet", "new", file, "--json", password=PASSWORD).stdout)
    assert run("wallet", "show", file).stdout.strip() == made["address"]
    refused = run("sign-in", "--wallet", file, password="wrong", expected=3)
    assert "wrong password" in refused.stderr
    again = run("wallet", "new", file, password=PASSWORD, expected=3)
    assert "exists already" in again.stderr


def test_every_help_ends_in_an_example() -> None:
    runner = CliRunner()
    leaves = list(leaves_of(app))
    assert len(leaves) >= 17
    for leaf in leaves:
        text = " ".join(runner.invoke(app, [*leaf, "--help"]).output.split())
        assert f"Example: swarm-market {' '.join(leaf)}" in text


def leaves_of(group: typer.Typer) -> Iterator[tuple[str, ...]]:
    for command in group.registered_commands:
        yield (str(command.name),)
    for inner in group.registered_groups:
        assert inner.typer_instance is not None
        for path in leaves_of(inner.typer_instance):
            yield (str(inner.name), *path)


def test_a_folder_is_not_made_twice(tmp_path: Path) -> None:
    folder = str(tmp_path / "market")
    run("init", folder)
    assert "already" in run("init", folder, expected=9).stderr
    for name in ("ca.key", "lease.key", "relayer.key"):
        assert (tmp_path / "market" / name).stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(
    ("written", "reason"),
    [
        ("production = true", "built-in certificate authority"),
        ("production = true\nallow_builtin_ca = true", "plain HTTP"),
        ("production = true\nallow_builtin_ca = true\nallow_plain_http = true", "web_url"),
        ("web_tls_key = 'x.pem'", "only one of"),
        ("surprise = 1", "surprise"),
        ("web_port = 'x'", "web_port"),
    ],
)
def test_settings_that_cannot_be_meant_are_refused(
    tmp_path: Path, written: str, reason: str
) -> None:
    (tmp_path / "settings.toml").write_text(written)
    with pytest.raises(Exception, match=reason):
        load(tmp_path)


def test_the_environment_wins_over_the_file_and_the_command_line_over_both(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "settings.toml").write_text("web_port = 1001\nagent_port = 1002\ntoken_hours = 3")
    monkeypatch.setenv("SWARM_MARKET_WEB_PORT", "2001")
    monkeypatch.setenv("SWARM_MARKET_AGENT_PORT", "2002")
    settings = load(tmp_path, web_port=3001)
    assert (settings.web_port, settings.agent_port, settings.token_hours) == (3001, 2002, 3)


def test_a_port_that_is_taken_is_told_as_such(world: World) -> None:
    port = world.market_url.rpartition(":")[2]
    refused = run("serve", "--folder", str(world.folder), "--web-port", port, expected=3)
    assert f"cannot listen on 127.0.0.1 port {port}" in refused.stderr
    assert "--web-port" in refused.stderr


def test_production_refuses_the_embedded_chain(world: World, tmp_path: Path) -> None:
    folder = tmp_path / "market"
    run("init", str(folder))
    (folder / "deployment.json").write_bytes((world.folder / "deployment.json").read_bytes())
    with (folder / "settings.toml").open("a") as file:
        file.write("allow_builtin_ca = true\nallow_plain_http = true\n")
        file.write("web_url = 'https://market.example'\n")
    refused = run(
        *("serve", "--folder", str(folder), "--rpc-url", world.rpc_url, "--production"),
        *("--web-port", str(free_port()), "--agent-port", str(free_port())),
        expected=3,
    )
    assert "refuse the embedded chain" in refused.stderr
