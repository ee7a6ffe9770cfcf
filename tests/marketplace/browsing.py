"""Chromium by Playwright, with a wallet in it that really signs: an EIP-1193 provider.

The provider in the page only hands on; its keys stay here and sign with eth_account, as any wallet
would, not with our code.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from eth_account import Account
from eth_account.messages import encode_defunct, encode_typed_data
from playwright.sync_api import ConsoleMessage, Page, sync_playwright

from contracts.keys import Signer

CHROMIUM = shutil.which("chromium")
# Announced as EIP-6963 has it, and nowhere else: no window.ethereum.
PROVIDER = """
(() => {
  const provider = {
    request: async ({ method, params }) => {
      const { result, error } = await askWallet(method, params ?? []);
      if (error) throw Object.assign(new Error(error.message), { code: error.code });
      return result;
    },
    on() {},
    removeListener() {},
  };
  const info = { uuid: "9f1c2a44-0000-4000-8000-000000000001", name: "Test wallet", rdns: "test",
                 icon: "data:image/svg+xml,<svg xmlns='http://www.w3.org/2000/svg'/>" };
  const announce = () => window.dispatchEvent(new CustomEvent(
    "eip6963:announceProvider", { detail: Object.freeze({ info, provider }) }));
  window.addEventListener("eip6963:requestProvider", announce);
  announce();
})();
"""


class Wallet:
    """A browser wallet whose owner agrees to everything, or refuses everything."""

    def __init__(self, chain_id: int, *signers: Signer) -> None:
        self._chain_id = chain_id
        self._accounts = {each.address.lower(): Account.from_key(each.secret) for each in signers}
        self.refuses = False
        self.asked: list[str] = []

    def answer(self, method: str, parameters: list[Any]) -> dict[str, Any]:
        self.asked.append(method)
        if self.refuses:
            return {"error": {"code": 4001, "message": "The user rejected the request."}}
        return {"result": self._result(method, parameters)}

    def _result(self, method: str, parameters: list[Any]) -> Any:
        match method:
            case "eth_requestAccounts" | "eth_accounts":
                return list(self._accounts)
            case "eth_chainId":
                return hex(self._chain_id)
            case "personal_sign":
                account = self._accounts[parameters[1].lower()]
                signed = account.sign_message(encode_defunct(text=parameters[0]))
            case "eth_signTypedData_v4":
                account = self._accounts[parameters[0].lower()]
                data = json.loads(parameters[1])
                # As wallets do: never for a chain that they are not on.
                assert int(data["domain"]["chainId"]) == self._chain_id
                signed = account.sign_message(encode_typed_data(full_message=data))
            case _:
                raise AssertionError(method)
        return "0x" + signed.signature.hex()


@contextmanager
def browsing(wallet: Wallet | None = None, **context: Any) -> Iterator[Page]:
    """A page in a browser of its own; whatever its scripts complain of fails the test.

    Args:
        wallet: put into every page.
        context: what Playwright takes for a context: `color_scheme`, `viewport` …
    """
    complaints: list[str] = []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"]
        )
        opened = browser.new_context(**context)
        if wallet is not None:
            opened.expose_function("askWallet", wallet.answer)
            opened.add_init_script(PROVIDER)
        page = opened.new_page()
        page.set_default_timeout(20_000)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("console", lambda said: _is_bad(said) and complaints.append(said.text))
        page.on("dialog", lambda dialog: dialog.accept())
        try:
            yield page
        finally:
            browser.close()
    assert not complaints, complaints


def _is_bad(said: ConsoleMessage) -> bool:
    """An error, but for the note that a form was sent back to be mended."""
    return said.type == "error" and "status of 422" not in said.text
