"""The pages in Chromium: they refresh themselves, and a wallet in the browser can do it all."""

from __future__ import annotations

import json
from typing import Any

import pytest
from eth_account import Account
from eth_account.messages import encode_defunct, encode_typed_data

from contracts.keys import Signer
from tests.marketplace import chromium
from tests.marketplace.chromium import Browser
from tests.marketplace.world import Federation, eventually

pytestmark = pytest.mark.skipif(chromium.PROGRAM is None, reason="chromium is not installed")


def wallet(signer: Signer, chain_id: int) -> chromium.Wallet:
    """A browser wallet whose owner agrees to everything; signs as others do, not with our code."""

    def answer(method: str, parameters: list[Any]) -> Any:
        account = Account.from_key(signer.secret)
        match method:
            case "eth_chainId":
                return hex(chain_id)
            case "eth_requestAccounts":
                return [signer.address.lower()]
            case "personal_sign":
                message = encode_defunct(text=parameters[0])
            case "eth_signTypedData_v4":
                message = encode_typed_data(full_message=json.loads(parameters[1]))
            case _:
                raise AssertionError(method)
        return "0x" + account.sign_message(message).signature.hex()

    return answer


def signed_in(federation: Federation, organization: str) -> Browser:
    browser = Browser(
        wallet(federation.wallets[organization], federation.world.deployment.chain_id)
    )
    browser.open(f"{federation.world.market_url}/sign-in?next=/agreements")
    browser.click("button[data-do=sign-in]:not([hidden])")
    browser.until("location.pathname === '/agreements' && document.readyState === 'complete'")
    return browser


def test_an_owner_signs_approves_and_claims_with_a_wallet_in_the_browser(
    federation: Federation,
) -> None:
    federation.draft()
    url = federation.world.market_url
    for name in ("clinic-b", "clinic-c"):
        with federation.owner(name) as owner:
            owner.sign_agreement(federation.agreement_id)
    with signed_in(federation, "clinic-a") as browser:
        browser.open(f"{url}/agreements/{federation.agreement_id}")
        browser.click("button[data-do=sign]:not([hidden])")
        # Nobody reloads the page: it learns by itself that the chain has confirmed.
        browser.until("document.querySelector('.state-active') !== null")

        node = federation.invite("clinic-a")
        node.first_contact()
        node.sign()
        browser.open(f"{url}/nodes")
        enrollment = node.answer["enrollment"]["id"]
        browser.click(f"button[data-enrollment='{enrollment}']:not([hidden])")
        browser.until(f"document.querySelector('[data-enrollment=\"{enrollment}\"]') === null")
        with federation.owner("clinic-a") as owner:
            eventually(lambda: owner.nodes(federation.agreement_id), lambda nodes: len(nodes) == 1)
        federation.nodes["clinic-a"] = node
        for name in ("clinic-b", "clinic-c"):
            federation.enroll(name)

        federation.start(f"in-the-browser-{federation.number}")
        federation.fund(100)
        federation.seal(2.0)
        browser.open(f"{url}/runs/{federation.run_id}")
        federation.seal(1.05, {0: 10_000})
        browser.until("document.querySelectorAll('.loss-dot').length === 2")
        browser.click("button[data-do=claim]:not([hidden])")
        browser.until("document.querySelector('button[data-do=claim]') === null")
        assert federation.account(0).claimed == federation.account(0).accrued > 0
        browser.click("button[data-do=sign-out]")
        browser.until("location.pathname === '/sign-in'")
        assert browser.complaints == []


def test_pages_raise_no_errors_in_a_browser(federation: Federation) -> None:
    federation.draft()
    with signed_in(federation, "clinic-b") as browser:
        for path in ("/", "/agreements", f"/agreements/{federation.agreement_id}", "/nodes"):
            browser.open(federation.world.market_url + path)
            assert browser.evaluate("document.querySelector('h1') !== null")
        assert browser.complaints == []
