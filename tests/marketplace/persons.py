"""People before their pages: one browser, a context each, and axe to judge what they see."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, Page, sync_playwright

from tests.marketplace.browsing import CHROMIUM, PROVIDER, Wallet

AXE = Path(__file__).parents[2] / "node_modules" / "axe-core" / "axe.min.js"
_ARGUMENTS = (
    "--no-sandbox",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
)
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
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=_ARGUMENTS)
        yield browser
        browser.close()


@contextmanager
def person(
    browser: Browser, url: str, wallet: Wallet | None = None, **context: Any
) -> Iterator[Person]:
    """A person with a browser of his own; with `wallet`, one that it belongs to."""
    opened = browser.new_context(viewport=context.pop("viewport", WIDE), **context)
    try:
        if wallet is not None:
            opened.expose_function("askWallet", wallet.answer)
            opened.add_init_script(PROVIDER)
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
