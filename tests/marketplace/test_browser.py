"""The pages in Chromium: they stay new by themselves, a wallet can do it all, axe finds nothing.

With `SWARM_SCREENSHOTS=folder` each story leaves pictures of what its person saw.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.marketplace.browsing import CHROMIUM, Wallet
from tests.marketplace.persons import PHONE, Person, chromium, person, signs_in
from tests.marketplace.world import Federation, World, eventually

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed")
CHAIN_ID = 31337  # of the chain that tests start
# What reaches beyond the page's right edge, though it stands in nothing that scrolls.
TOO_WIDE = """() => document.body.scrollWidth <= innerWidth ? [] :
  [...document.querySelectorAll("main *")].filter(each =>
    each.getBoundingClientRect().right > innerWidth + 1 && !each.closest(".scroll, table, pre"))
  .map(each => each.outerHTML.slice(0, 120))"""
_FOLDER = os.environ.get("SWARM_SCREENSHOTS")


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as opened:
        yield opened


@pytest.fixture(scope="module")
def running(world: World) -> Federation:
    """A run under way: some rounds sealed, all nodes up."""
    federation = Federation(world)
    federation.train(
        "tumors",
        (2.0, {}),
        (1.5, {0: 5000, 1: 3000, 2: 2000}),
        (1.1, {0: 4500, 1: 3500, 2: 2000}),
        (0.9, {0: 4000, 1: 4000, 2: 2000}),
        tokens=1000,
    )
    say(federation)
    with federation.owner("clinic-b") as owner:
        reason = "The audit of clinic-c is not over."
        motion = owner.governance.propose(federation.agreement_id, "suspend", reason=reason)
        owner.governance.vote(motion["id"])
    return federation


def say(federation: Federation) -> None:
    """The nodes' heartbeats: one needs its operator."""
    now_s = int(time.time())
    troubles = [
        {"at_s": now_s - 70, "level": "warning", "text": "late for round 3: the update took 41 s"},
        {"at_s": now_s - 2_400, "level": "error", "text": "no training process for 10 min"},
    ]
    for samples, (name, node) in zip((410, 260, 180), federation.nodes.items(), strict=True):
        worse = name == "clinic-a"
        status = {
            "state": "training",
            "round": 4,
            "training": not worse,
            "last": {"samples": samples},
            "version": "0.9.1" if worse else "1.0.0",
            "svid_expires_s": now_s + (20 if worse else 61) * 3_600,
            "troubles": troubles if worse else [],
        }
        assert node.post("/agents/v1/status", status).status_code == 204


def _owner(browser: Browser, federation: Federation) -> AbstractContextManager[Person]:
    wallet = Wallet(CHAIN_ID, federation.wallets["clinic-a"])
    return person(browser, federation.world.market_url, wallet)


def _picture(page: Page, name: str) -> None:
    if _FOLDER:
        Path(_FOLDER).mkdir(parents=True, exist_ok=True)
        page.screenshot(path=Path(_FOLDER) / f"{name}.png", full_page=True)


def test_an_owner_signs_approves_and_claims_with_a_wallet_in_the_browser(
    browser: Browser, federation: Federation
) -> None:
    federation.draft()
    url, wallet = federation.world.market_url, federation.wallets["clinic-a"]
    for name in ("clinic-b", "clinic-c"):
        with federation.owner(name) as owner:
            owner.sign_agreement(federation.agreement_id)
    with person(browser, url, Wallet(CHAIN_ID, wallet)) as someone:
        signs_in(someone, "/agreements")
        page = someone.opens(f"/agreements/{federation.agreement_id}")
        page.click("button[data-do=sign]")
        # Nobody reloads the page: it learns by itself that the chain has confirmed.
        expect(page.locator(".state-active").first).to_be_visible(timeout=20_000)

        node = federation.invite("clinic-a")
        node.first_contact()
        node.sign()
        someone.opens("/nodes")
        approve = page.locator(f"[data-enrollment='{node.answer['enrollment']['id']}']")
        approve.first.click()
        expect(approve).to_have_count(0, timeout=20_000)
        with federation.owner("clinic-a") as owner:
            eventually(lambda: owner.nodes(federation.agreement_id), lambda nodes: len(nodes) == 1)
        federation.nodes["clinic-a"] = node
        for name in ("clinic-b", "clinic-c"):
            federation.enroll(name)

        federation.start(f"in-the-browser-{federation.number}")
        federation.fund(100)
        federation.seal(2.0)
        someone.opens(f"/runs/{federation.run_id}")
        federation.seal(1.05, {0: 10_000})
        expect(page.locator(".loss-dot")).to_have_count(2, timeout=20_000)
        someone.opens("/earnings")
        claim = page.locator(f"[data-do=claim][data-run='{federation.run_id}']")
        claim.click()
        expect(claim).to_have_count(0, timeout=20_000)
        assert federation.account(0).claimed == federation.account(0).accrued > 0
        page.click("button[data-do=sign-out]")
        page.wait_for_url("**/sign-in")
        assert someone.complaints == []


STORIES = {
    "admin": ("/admin", "/agreements", "/runs"),
    "owner": ("/earnings", "/statements/clinic-a", "/runs/{run}", "/agreements/{agreement}"),
    "operator": ("/my-nodes", "/nodes"),
    "negotiator": (
        "/drafts/new/healthcare",
        "/agreements/{agreement}/decisions",
        "/agreements/{agreement}/history",
    ),
}


@pytest.mark.parametrize("who", STORIES)
def test_each_page_is_accessible_wide_narrow_light_and_dark(
    who: str, browser: Browser, running: Federation
) -> None:
    world = running.world
    wallet = world.admin if who == "admin" else running.wallets["clinic-a"]
    looks = (("light", None), ("dark", None), ("light", PHONE))
    for scheme, viewport in looks:
        options = {"color_scheme": scheme} | ({"viewport": viewport} if viewport else {})
        with person(browser, world.market_url, Wallet(CHAIN_ID, wallet), **options) as someone:
            signs_in(someone, STORIES[who][0])
            for path in STORIES[who]:
                shown = path.format(run=running.run_id, agreement=running.agreement_id)
                page = someone.opens(shown)
                expect(page.locator("h1")).to_be_visible()
                if not viewport:
                    assert someone.accessibility() == [], f"{path}, {scheme}"
                assert page.evaluate(TOO_WIDE) == [], path
                name = "-".join(each for each in path.split("/") if each and "{" not in each)
                _picture(page, f"{who}-{name}{'-phone' if viewport else ''}-{scheme}")
            assert someone.complaints == []


def test_an_operator_makes_a_token_and_copies_the_command(
    browser: Browser, running: Federation
) -> None:
    with _owner(browser, running) as someone:
        page = signs_in(someone, "/my-nodes")
        page.get_by_label("Name of the node").fill("site-2")
        page.get_by_label("Where other nodes reach it").fill("https://site-2.example:7443")
        page.get_by_role("button", name="Make an enrollment token").click()
        made = page.locator(".card.made")
        expect(made).to_contain_text("swarm-node enroll --token")
        assert someone.accessibility() == []
        _picture(page, "operator-token")
        # What is shown once stays until the page is left, whatever else happens.
        running.seal(0.8, {0: 3000, 1: 5000, 2: 2000})
        page.wait_for_timeout(1_500)  # as long as a refresh would take
        expect(made).to_be_visible()


def test_times_are_those_of_the_readers_zone(browser: Browser, running: Federation) -> None:
    seen = {}
    for zone in ("Asia/Tokyo", "America/New_York"):
        wallet = Wallet(CHAIN_ID, running.wallets["clinic-a"])
        url = running.world.market_url
        with person(browser, url, wallet, timezone_id=zone, locale="en-GB") as someone:
            signs_in(someone, "/earnings")
            page = someone.opens(f"/agreements/{running.agreement_id}/history")
            until = page.locator("time[data-moment]").first
            utc = datetime.fromisoformat(until.get_attribute("datetime") or "")
            seen[zone] = until.text_content() or ""
            assert f"{utc.astimezone(ZoneInfo(zone)):%H:%M}" in seen[zone]
    assert len(set(seen.values())) == 2


def test_a_transaction_is_copied_whole(browser: Browser, running: Federation) -> None:
    wallet = Wallet(CHAIN_ID, running.wallets["clinic-a"])
    permissions = ["clipboard-read", "clipboard-write"]
    with person(browser, running.world.market_url, wallet, permissions=permissions) as someone:
        page = signs_in(someone, "/earnings")
        shown = page.locator("details button.hash").first
        whole = shown.get_attribute("title") or ""
        assert len(whole) == 66
        shown.focus()
        page.keyboard.press("Enter")
        expect(shown).to_have_text("Copied")
        assert page.evaluate("navigator.clipboard.readText()") == whole


def test_everything_can_be_reached_with_the_keyboard(browser: Browser, running: Federation) -> None:
    with _owner(browser, running) as someone:
        page = signs_in(someone, "/earnings")
        reached = set()
        for _ in range(60):
            page.keyboard.press("Tab")
            reached.add(page.evaluate("document.activeElement.textContent.trim()"))
        assert {"Skip to content", "Runs", "My nodes", "Sign out", "PDF"} <= reached
        assert any(each.startswith("Claim ") for each in reached)


def test_a_page_that_lost_the_marketplace_says_so(browser: Browser, running: Federation) -> None:
    with _owner(browser, running) as someone:
        page = signs_in(someone, "/earnings")
        page.route("**/api/live", lambda route: route.abort())
        page.reload()
        expect(page.locator("#stale")).to_be_visible(timeout=15_000)
