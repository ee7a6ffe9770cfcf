"""Runs in the browser: begun by a signature, funded by transactions of the sponsor's own wallet.

With `SWARM_SCREENSHOTS=folder` the story leaves pictures of what its person saw.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Browser, Page, expect

from contracts import Contracts
from contracts.keys import new_key
from tests.marketplace.browsing import CHROMIUM, Wallet
from tests.marketplace.persons import PHONE, Person, chromium, person, signs_in
from tests.marketplace.test_browser import TOO_WIDE
from tests.marketplace.world import TOKEN_WEI, Federation, World

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed")
_FOLDER = os.environ.get("SWARM_SCREENSHOTS")
_MAINNET = 1


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as opened:
        yield opened


@pytest.fixture(scope="module")
def sponsored(world: World) -> Federation:
    """An agreement with a node each, sponsored by lab-a, which has coins for gas, and no tokens."""
    federation = Federation(world, {name: new_key() for name in ("lab-a", "lab-b", "lab-c")})
    federation.agree(sponsor=federation.wallets["lab-a"].address)
    for name in federation.wallets:
        federation.enroll(name)
    rich = [federation.wallets["lab-a"].address, hex(TOKEN_WEI)]
    question = {"jsonrpc": "2.0", "id": 1, "method": "anvil_setBalance", "params": rich}
    httpx.post(world.rpc_url, json=question, trust_env=False).raise_for_status()
    return federation


def give(federation: Federation, tokens: int) -> None:
    """Tokens, to the sponsor."""

    async def mint(contracts: Contracts) -> None:
        sponsor, treasury = federation.wallets["lab-a"].address, federation.world.treasury
        await contracts.token.mint(sponsor, tokens * TOKEN_WEI, signer=treasury)

    federation.world.on_chain(mint)


def good(someone: Person, name: str) -> None:
    """Nothing sticks out, nothing that axe finds; a picture, if pictures are wanted."""
    page = someone.page
    assert page.evaluate(TOO_WIDE) == []
    assert someone.accessibility() == []
    if _FOLDER:
        Path(_FOLDER).mkdir(parents=True, exist_ok=True)
        page.screenshot(path=Path(_FOLDER) / f"{name}.png", full_page=True)


def refuses(page: Page, button: str, reason: str) -> None:
    page.get_by_role("button", name=button, exact=True).click()
    expect(page.get_by_role("alert")).to_contain_text(reason)
    page.get_by_role("alert").get_by_role("button", name="Close").click()


def test_a_sponsor_begins_a_run_funds_it_and_begins_it_anew(
    browser: Browser, sponsored: Federation
) -> None:
    world, name = sponsored.world, f"tumors-{sponsored.number}"
    wallet = Wallet(
        _MAINNET,
        sponsored.wallets["lab-a"],
        rpc_url=world.rpc_url,
        knows=world.deployment.chain_id,
    )
    with person(browser, world.market_url, wallet) as someone:
        signs_in(someone, "/agreements")
        page = someone.opens(f"/agreements/{sponsored.agreement_id}")
        page.get_by_role("link", name="Begin a run").click()
        page.get_by_role("button", name="Begin the run").click()
        # The browser itself says that a name is missing; nothing was asked of the wallet.
        assert "eth_signTypedData_v4" not in wallet.asked
        page.get_by_label("Name of the run").fill(name)
        good(someone, "begin")
        wallet.refuses_to = {"wallet_switchEthereumChain"}
        refuses(page, "Begin the run", "You rejected the request in the wallet")
        wallet.refuses_to = {"eth_signTypedData_v4"}
        refuses(page, "Begin the run", "You rejected the request in the wallet")
        wallet.refuses_to = set()
        page.get_by_label("Name of the run").press("Enter")
        page.wait_for_url(re.compile("/runs/0x[0-9a-f]{64}$"), timeout=20_000)
        sponsored.run_id = page.url.rpartition("/")[2]
        expect(page.get_by_role("heading", name=name)).to_be_visible()

        pool = page.locator("#pool")
        expect(pool).to_contain_text("rounds pay nobody until you fund it")
        expect(page.get_by_label("Amount")).to_have_value("1000")
        give(sponsored, 40)
        refuses(page, "Fund", "has 40 tokens: 960 are missing of 1000")
        page.get_by_label("Amount").fill("25.5")
        wallet.refuses_to = {"eth_sendTransaction"}
        refuses(page, "Fund", "You rejected the request in the wallet (nothing was sent)")
        wallet.refuses_to = set()
        good(someone, "fund")
        page.get_by_label("Amount").press("Enter")
        # Nobody reloads the page: the pool grows when the marketplace has read it from the chain.
        expect(pool.locator(".facts")).to_contain_text("25.50 tokens", timeout=20_000)
        expect(pool.locator(".log li")).to_have_count(1)
        expect(page.get_by_label("Amount")).to_have_value("974.5")
        assert wallet.asked.count("eth_sendTransaction") == 1 + 2
        good(someone, "funded")

        sponsored.seal(2.0)
        sponsored.seal(0.05, {0: 10_000})  # below the target
        expect(page.get_by_text("target reached")).to_be_visible(timeout=20_000)
        expect(page.get_by_label("Amount")).to_have_count(0)
        page.get_by_role("link", name="Begin it anew").click()
        expect(page.get_by_role("heading", name=f"Begin {name} anew")).to_be_visible()
        page.get_by_label("Start from").select_option(label=f"the model of {name} (target reached)")
        page.get_by_role("button", name="Begin the run").click()
        page.wait_for_url(re.compile("/runs/0x[0-9a-f]{64}$"), timeout=20_000)
        expect(page.get_by_text("generation 2")).to_be_visible()
        assert page.url.rpartition("/")[2] != sponsored.run_id
        someone.opens(f"/agreements/{sponsored.agreement_id}/history")
        paid = f"lab-a paid 25.5 tokens into the pool of {name}"
        expect(page.get_by_text(paid)).to_be_visible()
        # The browser notes by itself that the first amount was answered with 409.
        assert [each for each in someone.complaints if "status of 409" not in each] == []


def test_who_cannot_begin_a_run_is_told_who_can(browser: Browser, sponsored: Federation) -> None:
    world = sponsored.world
    looks = {"color_scheme": "dark", "viewport": PHONE}
    wallet = Wallet(world.deployment.chain_id, world.admin)
    with person(browser, world.market_url, wallet, **looks) as someone:
        signs_in(someone, "/admin")
        page = someone.opens(f"/agreements/{sponsored.agreement_id}/runs/new")
        expect(page.get_by_text("One of the parties begins it")).to_be_visible()
        expect(page.get_by_role("button", name="Begin the run")).to_have_count(0)
        good(someone, "begin-admin-phone-dark")
        someone.opens(f"/agreements/{sponsored.agreement_id}")
        good(someone, "agreement-admin-phone-dark")
