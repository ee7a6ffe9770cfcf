"""Pages and sessions: who may read them, what they show, how strict browsers are told to be."""

from __future__ import annotations

import contextlib
import html
import re
from collections.abc import Iterator

import httpx
import pytest
from siwe import SiweMessage  # type: ignore[import-untyped] # it has no stubs

from contracts.keys import Signer, new_key
from contracts.personal import personal_digest
from marketplace import errors
from marketplace.client import MarketClient
from tests.marketplace.world import Federation, World, draft


@contextlib.contextmanager
def browser(world: World, signer: Signer | None = None) -> Iterator[httpx.Client]:
    """A browser that signed in with a token from the command line."""
    client = httpx.Client(
        base_url=world.market_url,
        headers={"Accept": "text/html", "Sec-Fetch-Site": "same-origin"},
        trust_env=False,
        timeout=30,
    )
    with client:
        if signer is not None:
            with world.client(signer) as owner:
                token = owner.sign_in()["token"]
            assert client.post("/sign-in", data={"token": token}).status_code == 303
        yield client


def test_without_signing_in_there_is_nothing_to_see(running: Federation) -> None:
    with browser(running.world) as visitor:
        for path in ("/", "/agreements", "/nodes", f"/runs/{running.run_id}"):
            answer = visitor.get(path)
            assert answer.status_code == 303
            assert answer.headers["location"].startswith("/sign-in?next=")
        assert visitor.get("/api/live").status_code == 401


def test_a_party_sees_its_run(running: Federation) -> None:
    with browser(running.world, running.wallets["clinic-a"]) as owner:
        page = owner.get(f"/runs/{running.run_id}").text
        home = owner.get("/runs").text
        nodes = owner.get("/nodes").text
        agreement = owner.get(f"/agreements/{running.agreement_id}").text
    assert "shown-run" in home
    assert "clinic-a" in page
    assert 'aria-label="Loss by round: 1.5 in round 0, 1 in round 1, target 0.1."' in page
    assert "clinic-a 70.0" in page
    assert "clinic-b/site-1" in nodes
    assert "In force from" in agreement


def test_a_stranger_does_not_see_it(running: Federation) -> None:
    with browser(running.world, new_key()) as stranger:
        assert "shown-run" not in stranger.get("/runs").text
        assert stranger.get(f"/runs/{running.run_id}").status_code == 404
        assert "clinic-a" not in stranger.get("/nodes").text


@pytest.fixture(scope="module")
def leafing(world: World) -> Federation:
    """Two agreements with a run each, of organizations that take part in nothing else."""
    wallets = {name: new_key() for name in ("leaf-a", "leaf-b", "leaf-c")}
    for name in ("first-leaf", "second-leaf"):
        federation = Federation(world, wallets)
        federation.train(name)
    return federation


LISTS = ("/nodes", "/agreements/{}/nodes", "/agreements/{}/history", "/runs")
ITEM = re.compile(
    r'<li>\s*<p.*?</li>|<th scope="row".*?</th>|<section class="card" aria-label="Run .*?>',
    re.DOTALL,
)


@pytest.mark.parametrize("of", LISTS)
def test_long_lists_are_leafed_through_by_links(leafing: Federation, of: str) -> None:
    path = of.format(leafing.agreement_id)
    with browser(leafing.world, leafing.wallets["leaf-a"]) as owner:
        whole = ITEM.findall(owner.get(f"{path}?rows=500").text)
        assert len(whole) > 1
        seen, further = [], f"{path}?rows=1"
        while further:
            page = owner.get(further).text
            assert ("First " in page or "Latest " in page or "Newest " in page) == bool(seen)
            found = ITEM.findall(page)
            assert len(found) == 1
            seen += found
            links = re.findall(r'<a rel="next" href="([^"]+)"', page)
            further = html.unescape(links[0]) if links else ""
    assert seen == whole


def test_runs_are_leafed_through_within_a_project(running: Federation) -> None:
    with running.owner("clinic-a") as owner:
        owner.request("PUT", f"/api/runs/{running.run_id}/note", {"project": "tumors & co"})
    with browser(running.world, running.wallets["clinic-a"]) as reader:
        page = reader.get("/runs", params={"project": "tumors & co", "rows": 1}).text
        assert f"shown-run-{running.number}" in page
        assert 'rel="next"' not in page
        assert "No run yet" in reader.get("/runs", params={"project": "another"}).text


def test_pages_need_nothing_but_themselves(running: Federation) -> None:
    with browser(running.world, running.wallets["clinic-a"]) as owner:
        answer = owner.get(f"/runs/{running.run_id}")
        policy = answer.headers["content-security-policy"]
        assert policy.startswith("default-src 'none'; script-src 'self';")
        assert "unsafe" not in policy
        assert not re.search(r"\sstyle=|\son[a-z]+=|<script>|<style", answer.text)
        for link in re.findall(r'(?:src|href)="([^"]+)"', answer.text):
            assert link.startswith(("/", "#")), link
            if link.startswith("/static/"):
                assert owner.get(link).status_code == 200


def test_open_pages_are_told_when_something_happens(running: Federation) -> None:
    with (
        browser(running.world, running.wallets["clinic-a"]) as owner,
        owner.stream("GET", "/api/live") as live,
    ):
        assert live.headers["content-type"].startswith("text/event-stream")
        words = (line.removeprefix("data: ") for line in live.iter_lines() if "data: " in line)
        before = next(words)
        running.seal(0.9, {0: 10_000})
        assert next(words) != before


def test_everybody_begins_at_a_page_of_his_own(running: Federation) -> None:
    with browser(running.world, running.wallets["clinic-b"]) as owner:
        assert owner.get("/").headers["location"] == "/earnings"
        earnings = owner.get("/earnings").text
        nodes = owner.get("/my-nodes").text
        assert "clinic-b/site-1" in nodes
        assert "clinic-a/site-1" not in nodes
    assert "shown-run" in earnings
    assert 'data-organization="clinic-b"' in earnings
    assert "An equal split would have paid" in earnings
    with browser(running.world, running.world.admin) as admin:
        assert admin.get("/").headers["location"] == "/admin"
        assert "clinic-c" in admin.get("/admin").text
    with browser(running.world) as visitor:
        for path in ("/admin", "/earnings", "/my-nodes"):
            assert visitor.get(path).status_code == 303


def test_every_enrolled_node_is_listed_in_every_round(running: Federation) -> None:
    with running.owner("clinic-a") as owner:
        first, second, *_ = owner.rounds(running.run_id)
    assert [each["state"] for each in first["attendance"]] == ["signed"] * 3
    assert [each["state"] for each in second["attendance"]] == ["merged"] * 3
    assert {each["spiffe_id"].split("/")[4] for each in second["attendance"]} == set(
        running.wallets
    )


def test_what_people_wrote_is_text_and_not_markup(world: World) -> None:
    federation = Federation(world)
    fields = {"title": "<script>alert(1)</script>"}
    with world.client(world.admin) as admin:
        made = admin.draft(draft(federation.wallets, world.admin.address) | fields)
    with browser(world, world.admin) as reader:
        page = reader.get(f"/agreements/{made['id']}").text
    assert "<script>alert" not in page
    assert "&lt;script&gt;alert" in page


def test_other_sites_cannot_act_with_our_cookie(running: Federation) -> None:
    with browser(running.world, running.wallets["clinic-a"]) as owner:
        headers = {"Sec-Fetch-Site": "cross-site"}
        answer = owner.delete("/api/session", headers=headers)
        assert answer.status_code == 403
        assert owner.get("/api/session").json()["admin"] is False


def test_nobody_is_sent_elsewhere_after_signing_in(world: World) -> None:
    with world.client(world.admin) as admin:
        token = admin.sign_in()["token"]
    with browser(world) as visitor:
        # What browsers make of each is https://evil.example/.
        for elsewhere in ("//evil.example/", "/\\evil.example/", "/\t/evil.example/"):
            form = {"token": token, "next": elsewhere}
            assert visitor.post("/sign-in", data=form).headers["location"] == "/"
            page = visitor.get("/sign-in", params={"next": elsewhere}).text
            assert 'data-next="/"' in page
        form = {"token": token, "next": "/nodes"}
        assert visitor.post("/sign-in", data=form).headers["location"] == "/nodes"


def test_the_message_to_sign_is_one_that_wallets_know(world: World) -> None:
    signer = new_key()
    with browser(world) as visitor:
        body = {"address": signer.address}
        message = visitor.post("/api/session/challenge", json=body).json()["message"]
    read = SiweMessage.from_message(message)
    assert read.address == signer.address
    assert read.chain_id == world.deployment.chain_id
    read.verify("0x" + signer.sign(personal_digest(message)).hex())


def test_a_client_signs_in_nowhere_but_where_it_asked_to(world: World) -> None:
    # Somebody in between could hand on the message of another place, and so sign in there.
    elsewhere = world.market_url.replace("127.0.0.1", "localhost")
    with (
        MarketClient(elsewhere, new_key()) as deceived,
        pytest.raises(errors.WrongSignature) as refused,
    ):
        deceived.sign_in()
    assert "127.0.0.1" in str(refused.value)
    assert "--market" in refused.value.hint


def test_a_sign_in_message_is_good_once_and_for_its_own_wallet(world: World) -> None:
    signer = new_key()
    with world.client() as anybody:
        body = {"address": signer.address}
        message = anybody.request("POST", "/api/session/challenge", body)["message"]
        by = {
            name: {"message": message, "signature": "0x" + key.sign(personal_digest(message)).hex()}
            for name, key in (("owner", signer), ("thief", new_key()))
        }
        with pytest.raises(errors.WrongSignature):
            anybody.request("POST", "/api/session", by["thief"])
        anybody.request("POST", "/api/session", by["owner"])
        with pytest.raises(errors.SignInRequired):
            anybody.request("POST", "/api/session", by["owner"])
        changed = by["owner"] | {"message": message.replace("Version: 1", "Version: 2")}
        with pytest.raises(errors.SignInRequired):
            anybody.request("POST", "/api/session", changed)


def test_a_session_ends_when_it_is_closed(world: World) -> None:
    with world.client(world.admin) as admin:
        admin.request("GET", "/api/session")
        admin.request("DELETE", "/api/session")
        with pytest.raises(errors.SignInRequired):
            admin.request("GET", "/api/session")


def test_errors_are_problem_documents(world: World) -> None:
    with httpx.Client(base_url=world.market_url, trust_env=False) as client:
        for method, path, status in (
            ("GET", "/api/agreements", 401),
            ("GET", "/api/agreements/xyz", 422),
            ("GET", "/api/nowhere", 404),
            ("POST", "/api/session/challenge", 422),
            ("PUT", "/healthz", 405),
        ):
            answer = client.request(method, path)
            assert answer.status_code == status
            assert answer.headers["content-type"] == "application/problem+json"
            assert answer.json()["status"] == status
