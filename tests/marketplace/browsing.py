"""Debian's Chromium, driven by Playwright, and people who sit before it with a wallet.

The wallet is what an extension would put into the page (EIP-1193); its keys stay in the test, and
what it signs with is not our code.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from eth_account import Account
from eth_account.messages import encode_defunct, encode_typed_data
from playwright.sync_api import Browser, Page, sync_playwright

from contracts.keys import Signer

PROGRAM = shutil.which("chromium")
AXE = Path(__file__).parents[2] / "node_modules" / "axe-core" / "axe.min.js"
_ARGUMENTS = (
    "--no-sandbox",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
)
_WALLET = """
window.ethereum = {
  request: ({ method, params }) => askWallet(method, JSON.stringify(params ?? [])),
};
"""
WIDE = {"width": 1280, "height": 900}
PHONE = {"width": 390, "height": 844}


@dataclass
class Person:
    """Somebody before a page; `complaints` are what the page's scripts ran into."""

    page: Page
    url: str
    complaints: list[str] = field(default_factory=list)

    def opens(self, path: str) -> Page:
        self.page.goto(self.url + path)
        return self.page

    def accessibility(self) -> list[str]:
        """What axe finds wrong on the page (WCAG 2.1 A and AA), one line each."""
        # Evaluated by the debugger: the page's own policy would not let a foreign script in.
        self.page.evaluate(AXE.read_text("utf-8"))
        rules = {"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa"]}
        found = self.page.evaluate("rules => axe.run(document, rules)", rules)
        return [
            f"{each['id']}: {node['target']} {node['failureSummary']}"
            for each in found["violations"]
            for node in each["nodes"]
        ]


@contextmanager
def chromium() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=PROGRAM, args=_ARGUMENTS)
        yield browser
        browser.close()


@contextmanager
def person(
    browser: Browser, url: str, signer: Signer | None = None, **context: Any
) -> Iterator[Person]:
    """A person with a browser of his own; with `signer`, one whose wallet agrees to everything."""
    opened = browser.new_context(viewport=context.pop("viewport", WIDE), **context)
    try:
        if signer is not None:
            opened.expose_function("askWallet", _wallet(signer))
            opened.add_init_script(_WALLET)
        page = opened.new_page()
        found = Person(page, url)
        page.on("pageerror", lambda error: found.complaints.append(str(error)))
        page.on(
            "console",
            lambda said: found.complaints.append(said.text) if said.type == "error" else None,
        )
        page.on("dialog", lambda asked: (found.complaints.append(asked.message), asked.accept()))
        yield found
    finally:
        opened.close()


def signs_in(someone: Person, then: str) -> Page:
    """With the wallet in the browser."""
    page = someone.opens(f"/sign-in?next={then}")
    page.click("button[data-do=sign-in]")
    page.wait_for_url(f"{someone.url}{then}")
    return page


def _wallet(signer: Signer) -> Any:
    account = Account.from_key(signer.secret)

    def answer(method: str, parameters_json: str) -> Any:
        parameters = json.loads(parameters_json)
        match method:
            case "eth_requestAccounts":
                return [signer.address.lower()]
            case "eth_chainId":
                return "0x7a69"
            case "personal_sign":
                message = encode_defunct(text=parameters[0])
            case "eth_signTypedData_v4":
                message = encode_typed_data(full_message=json.loads(parameters[1]))
            case _:
                raise AssertionError(method)
        return "0x" + account.sign_message(message).signature.hex()

    return answer
