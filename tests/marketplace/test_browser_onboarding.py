"""A consortium in the browser, from the template to its first vote, each with his own wallet.

Set SWARM_SCREENSHOTS to a folder to keep what was seen.
"""

from __future__ import annotations

import os
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Page, expect

from contracts.keys import Signer, new_key
from tests.marketplace.browsing import CHROMIUM, Wallet, browsing
from tests.marketplace.nodes import Node
from tests.marketplace.test_negotiation import ANSWERS
from tests.marketplace.world import World

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed"),
]


def kept(page: Page, name: str) -> None:
    """Nothing sticks out to the right; a picture of the page, if pictures are wanted."""
    wide = page.evaluate("document.documentElement.scrollWidth > innerWidth")
    assert not wide, f"{name} is wider than its window"
    if folder := os.environ.get("SWARM_SCREENSHOTS"):
        Path(folder).mkdir(parents=True, exist_ok=True)
        page.screenshot(path=f"{folder}/{name}.png", full_page=True)


def sign_in(page: Page, world: World) -> None:
    page.goto(f"{world.market_url}/sign-in?next=/agreements")
    page.get_by_role("button", name="Sign in with wallet").click()
    page.wait_for_url(lambda url: urlsplit(url).path == "/agreements")


def test_three_organizations_agree_in_their_browsers_and_vote(world: World) -> None:
    chain_id = world.deployment.chain_id
    number = new_key().address[2:8].lower()
    wallets: dict[str, Signer] = {f"{name}-{number}": new_key() for name in ("north", "east")}
    north, east = wallets

    with browsing(Wallet(chain_id, world.admin)) as page:
        sign_in(page, world)
        page.get_by_role("link", name="New agreement").first.click()
        page.get_by_role("link", name="Healthcare").click()
        page.get_by_label("Organization 1", exact=True).fill(north)
        page.get_by_label("Organization 2", exact=True).fill(east)
        page.get_by_label("Model", exact=True).fill(ANSWERS["model"])
        page.get_by_label("Rounds of a run").fill("many")
        page.get_by_role("button", name="Create the draft").click()
        # Everything that is wrong is told at once, at its field.
        expect(page.get_by_role("alert")).to_contain_text("answers need another look")
        expect(page.locator("#e-max_rounds")).to_have_text("must be a whole number")
        kept(page, "form-with-errors")
        page.get_by_label("Rounds of a run").fill("40")
        page.get_by_label("Law and place").fill(ANSWERS["law"])
        page.get_by_label("How a round's pay is split").select_option("equal")
        for name in ("initial_root", "schema_hash"):
            page.locator(f"#f-{name}").fill(ANSWERS[name])
        page.locator("#f-sponsor").fill(world.treasury.address)
        page.get_by_role("button", name="Create the draft").click()
        expect(page.get_by_text("To be agreed before it can be signed")).to_be_visible()
        draft = urlsplit(page.url).path
        links = []
        for name in wallets:
            page.locator("tr", has_text=name).get_by_role("button", name="Invite").click()
            links.append(page.locator(".made .copy [data-copy]").get_attribute("data-copy") or "")
        kept(page, "invited")

    phone = {"viewport": {"width": 390, "height": 844}, "color_scheme": "dark"}
    for (name, signer), link in zip(wallets.items(), links, strict=True):
        with browsing(Wallet(chain_id, signer), **phone) as page:
            page.goto(link)
            expect(page.get_by_role("heading", name=f"{name} is invited")).to_be_visible()
            kept(page, f"join-{name[:5]}")
            page.get_by_role("button", name="Join with a wallet").click()
            page.wait_for_url(lambda url: urlsplit(url).path == draft)
            kept(page, f"draft-{name[:5]}")

    with browsing(Wallet(chain_id, wallets[east]), viewport={"width": 900, "height": 900}) as page:
        sign_in(page, world)
        page.goto(world.market_url + draft)
        page.get_by_label("Your comment").fill("We can run longer.")
        page.get_by_role("button", name="Comment").click()
        page.get_by_role("link", name="Propose changes").click()
        page.get_by_label("Rounds of a run").fill("60")
        page.get_by_role("button", name="Propose this version").click()
        page.get_by_role("link", name="What changed").first.click()
        expect(page.locator("ins", has_text="60").first).to_be_visible()
        expect(page.locator("del", has_text="40").first).to_be_visible()
        kept(page, "changes")
        page.goto(world.market_url + draft)
        page.get_by_role("button", name="Offer version").click()
        agreement = urlsplit(page.url).path
        page.get_by_role("button", name="Sign", exact=True).click()
        expect(page.locator(".state-signing")).to_be_visible()

    wallet = Wallet(chain_id, wallets[north])
    with browsing(wallet) as page:
        sign_in(page, world)
        page.goto(world.market_url + agreement)
        wallet.refuses = True
        page.get_by_role("button", name="Sign", exact=True).click()
        expect(page.get_by_role("alert")).to_contain_text("rejected the request")
        wallet.refuses = False
        page.get_by_role("button", name="Sign", exact=True).click()
        # Nobody reloads: the page learns by itself that the chain has it.
        expect(page.locator(".state-active")).to_be_visible()
        kept(page, "active")

        page.get_by_role("link", name="Nodes").last.click()
        page.get_by_label("Name of the node").fill("site-1")
        page.get_by_label("Where other nodes reach it").fill("https://site-1.example:7443")
        page.get_by_role("button", name="Make an enrollment token").click()
        kept(page, "token")
        command = page.locator(".made .copy [data-copy]").get_attribute("data-copy") or ""
        stray = Node(command.split("--token ")[1].split()[0])
        stray.first_contact()
        stray.sign()
        page.goto(f"{world.market_url}{agreement}/nodes")
        kept(page, "nodes")
        page.get_by_role("button", name="Reject").click()
        expect(page.get_by_text("Asking to be enrolled")).to_have_count(0)

        page.get_by_role("link", name="Decisions").click()
        page.get_by_label("Suspend the agreement").check()
        page.get_by_label("Reason").fill("A node that nobody knows asked to come in.")
        page.get_by_role("button", name="Propose", exact=True).click()
        page.get_by_role("button", name="Vote for it").click()
        expect(page.get_by_text("1 of 2 votes")).to_be_visible()
        kept(page, "decisions")

    with browsing(Wallet(chain_id, wallets[east]), **phone) as page:
        sign_in(page, world)
        page.goto(f"{world.market_url}{agreement}/decisions")
        page.get_by_role("button", name="Vote for it").click()
        page.get_by_role("button", name="Carry it out on chain").click()
        expect(page.locator(".state-suspended")).to_be_visible()
        kept(page, "decisions-phone")
        page.get_by_role("link", name="History").click()
        expect(page.get_by_text("Suspended by vote")).to_be_visible()
        expect(page.get_by_text("A motion to resume")).to_be_visible()
        kept(page, "history-phone")


def test_everything_can_be_reached_by_keyboard(world: World) -> None:
    with browsing(Wallet(world.deployment.chain_id, world.admin)) as page:
        sign_in(page, world)
        page.goto(f"{world.market_url}/drafts/new/manufacturing")
        reached = set()
        for _ in range(80):
            page.keyboard.press("Tab")
            reached.add(page.evaluate("document.activeElement.name || ''"))
        assert {"party-organization", "purpose", "privacy_guard", "budget", "law"} <= reached
        ring = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
        assert ring == "solid"
