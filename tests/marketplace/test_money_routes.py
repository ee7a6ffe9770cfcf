"""Statements, books, announcements and webhooks over HTTP and on the command line."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import httpx
import pytest

from contracts.keys import new_key
from marketplace import errors
from marketplace.money.envelope import Envelope
from tests.marketplace.processes import run, wallet
from tests.marketplace.world import TOKEN_WEI, Federation, World, eventually

PASSWORD = "nobody guesses this"


@pytest.fixture(scope="module")
def paid(world: World) -> Federation:
    """Three organizations, a run with a paid round, and one claim."""
    federation = Federation(world)
    federation.train("money", (2.0, {}), (1.05, {0: 6000, 1: 4000, 2: 0}), tokens=1000)
    with federation.owner("clinic-a") as owner:
        owner.wait(owner.claim(federation.run_id, "clinic-a")["id"])
    return federation


def test_an_owner_fetches_the_statement_in_three_forms_that_name_one_hash(
    paid: Federation,
) -> None:
    with paid.owner("clinic-b") as owner:
        data = owner.statement("clinic-b")
        table = owner.statement("clinic-b", form="csv").decode()
        paper = owner.statement("clinic-b", form="pdf")
    envelope = Envelope.parse(data)
    assert envelope.is_signed
    mine = [line for line in envelope.statement.lines if line.run == paid.run_id]
    assert [(line.round, line.amount_wei, line.metered_bips) for line in mine] == [
        (1, 200 * TOKEN_WEI, 4000)
    ]
    assert str(200 * TOKEN_WEI) in table
    assert paper.startswith(b"%PDF-")
    assert envelope.sha256() == hashlib.sha256(data).hexdigest()
    key = httpx.get(f"{paid.world.market_url}/api/statement-key", trust_env=False).json()
    assert key == {"key": envelope.key}


def test_nobody_fetches_the_statement_of_another(paid: Federation) -> None:
    with paid.owner("clinic-a") as rival, pytest.raises(errors.NotFound):
        rival.statement("clinic-b")
    with paid.world.client() as visitor, pytest.raises(errors.SignInRequired):
        visitor.statement("clinic-b")
    with paid.owner("clinic-b") as owner:
        with pytest.raises(errors.InvalidInput, match="not a period"):
            owner.statement("clinic-b", "soon")
        with pytest.raises(errors.Conflict, match="no block of that period"):
            owner.statement("clinic-b", "1999")


def test_admins_see_that_the_books_equal_the_chain(paid: Federation) -> None:
    with paid.world.client(paid.world.admin) as admin:
        report = admin.request("GET", "/api/reconciliation")
        entries = admin.request("GET", f"/api/ledger?run={paid.run_id}&limit=2")
        rest = admin.request("GET", f"/api/ledger?run={paid.run_id}&after={entries['next']}")
    assert report["agrees"]
    assert report["differences"] == []
    whats = [each["what"] for each in entries["items"] + rest["items"]]
    assert [what.split(" ")[2] for what in whats] == [
        "1000000000000000000000",
        "credited",
        "claimed",
    ]
    for each in entries["items"]:
        assert sum(int(posting["amount_wei"]) for posting in each["postings"]) == 0
    with paid.owner("clinic-a") as owner, pytest.raises(errors.NotAllowed):
        owner.request("GET", "/api/reconciliation")
    with paid.world.client() as visitor, pytest.raises(errors.SignInRequired):
        visitor.request("GET", "/api/ledger")


def test_an_auditor_reads_the_money_of_his_consortium_and_of_no_other_and_writes_nothing(
    paid: Federation,
) -> None:
    others = Federation(paid.world, {f"rival-{letter}": new_key() for letter in "abc"})
    others.agree()
    others.start("elsewhere")
    others.fund(7)
    own = f"/api/ledger?run={paid.run_id}"
    theirs = f"/api/ledger?run={others.run_id}"
    auditor = new_key()
    with paid.owner("clinic-b") as owner:
        owner.appoint(auditor.address, "auditor")
    with paid.world.client(paid.world.admin) as admin:
        admin.governance.admit("rival-a", others.wallets["rival-a"].address)
        admin.governance.admit("clinic-a", paid.wallets["clinic-a"].address)
        everything = admin.request("GET", own)["items"]
        assert eventually(lambda: admin.request("GET", theirs)["items"], bool)
    with paid.world.client(auditor) as reader:
        assert reader.request("GET", own)["items"] == everything != []
        assert reader.request("GET", theirs)["items"] == []
        seen = reader.request("GET", "/api/ledger?limit=200")["items"]
        accounts = {posting["account"] for each in seen for posting in each["postings"]}
        assert any(paid.run_id in each for each in accounts)
        assert not any(others.run_id in each for each in accounts)
        admitted = [each["organization"] for each in reader.governance.admissions()]
        assert "clinic-a" in admitted
        assert "rival-a" not in admitted
        assert Envelope.parse(reader.statement("clinic-b")).is_signed
        assert reader.earnings(paid.run_id)["organizations"]
        for refused, body in (
            ("/api/claims/prepare", {"run": paid.run_id, "organization": "clinic-b"}),
            ("/api/admissions", {"organization": "rival-b", "wallet": auditor.address}),
        ):
            with pytest.raises((errors.NotAllowed, errors.NotFound)):
                reader.request("POST", refused, body)
    with paid.world.client(paid.world.admin) as admin:
        admin.governance.dismiss("rival-a")
        admin.governance.dismiss("clinic-a")


def test_parties_read_their_announcements_from_where_they_stopped(paid: Federation) -> None:
    with paid.owner("clinic-c") as owner:
        path = f"/api/announcements?agreement={paid.agreement_id}"
        found = owner.request("GET", path)
        again = owner.request("GET", f"{path}&after={found['next']}")
    assert [each["kind"] for each in found["items"]] == ["withdrawal"]
    assert again == {"items": [], "next": found["next"]}
    with paid.world.client(new_key()) as stranger:
        assert stranger.announcements()["items"] == []


def test_a_webhook_may_not_point_inside(paid: Federation) -> None:
    with paid.owner("clinic-c") as owner:
        with pytest.raises(errors.InvalidInput, match="not a public address"):
            owner.request(
                "POST", "/api/webhooks", {"url": paid.world.market_url[:4] + "s://[::1]/"}
            )
        made = owner.request("POST", "/api/webhooks", {"url": "https://1.1.1.1/hook"})
        assert made["secret"].startswith("whsec_")
        (listed,) = owner.request("GET", "/api/webhooks")
        assert "secret" not in listed
        owner.request("DELETE", f"/api/webhooks/{made['id']}")
        assert owner.request("GET", "/api/webhooks") == []


def test_the_command_line_does_all_of_it(paid: Federation, tmp_path: Path) -> None:
    keystore = wallet(tmp_path / "b.json", paid.wallets["clinic-b"], PASSWORD)
    mine = ("--wallet", str(keystore), "--market", paid.world.market_url)

    def command(*arguments: str, expected: int = 0) -> str:
        return run(*arguments, *mine, password=PASSWORD, expected=expected).stdout

    file, paper = tmp_path / "statement.json", tmp_path / "statement.pdf"
    command("rewards", "statement", "clinic-b", "--out", str(file))
    command("rewards", "statement", "clinic-b", "--out", str(paper))
    assert paper.read_bytes().startswith(b"%PDF-")
    command("rewards", "statement", "clinic-b", "--form", "docx", expected=4)
    proven = run("verify-statement", str(file), "--rpc", paid.world.rpc_url).stdout
    assert "holds: all as on chain" in proven
    deployment = str(paid.world.folder / "deployment.json")
    trusted = ("--deployment", deployment, "--json")
    proof = run("verify-statement", str(file), "--rpc", paid.world.rpc_url, *trusted)
    assert json.loads(proof.stdout)["holds"]
    assert "clinic-a was paid" in command("announcements")
    books = json.loads(command("rewards", "ledger", "--run", paid.run_id, "--json"))
    assert [sum(int(p["amount_wei"]) for p in each["postings"]) for each in books] == [0, 0, 0]
    assert f"claimable:{paid.run_id}:1" in command("rewards", "ledger")
    made = json.loads(command("webhook", "add", "https://1.1.1.1/hook", "--json"))
    assert made["id"] in command("webhook", "list")
    assert command("webhook", "remove", made["id"][:6]) == f"removed {made['id']}\n"
