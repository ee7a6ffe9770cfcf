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

import httpx
from eth_account import Account
from eth_account.messages import encode_defunct, encode_typed_data
from playwright.sync_api import ConsoleMessage, Page, sync_playwright
from web3 import Web3

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
    """A browser wallet whose owner agrees to everything, or refuses everything, or a kind of thing.

    Args:
        chain_id: of the chain that it is on.
        signers: its accounts.
        rpc_url: of that chain, for a wallet that sends transactions.
        knows: another chain that it may be switched to.
    """

    def __init__(
        self, chain_id: int, *signers: Signer, rpc_url: str = "", knows: int | None = None
    ) -> None:
        self._chain_id = chain_id
        self._accounts = {each.address.lower(): Account.from_key(each.secret) for each in signers}
        self._rpc_url = rpc_url
        self._knows = knows
        self.refuses = False
        self.refuses_to: set[str] = set()
        self.asked: list[str] = []

    def answer(self, method: str, parameters: list[Any]) -> dict[str, Any]:
        self.asked.append(method)
        if self.refuses or method in self.refuses_to:
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
            case "wallet_switchEthereumChain":
                assert int(parameters[0]["chainId"], 16) == self._knows
                self._chain_id = self._knows
                return None
            case "eth_sendTransaction":
                return self._send(parameters[0])
            case "eth_getTransactionReceipt":
                return self._ask(method, *parameters)
            case _:
                raise AssertionError(method)
        return "0x" + signed.signature.hex()

    def _send(self, wanted: dict[str, Any]) -> Any:
        sender = wanted["from"]
        transaction = {
            "chainId": self._chain_id,
            "to": Web3.to_checksum_address(wanted["to"]),
            "data": wanted["data"],
            "value": 0,
            "nonce": int(self._ask("eth_getTransactionCount", sender, "pending"), 16),
            "gas": int(self._ask("eth_estimateGas", wanted), 16),
            "gasPrice": int(self._ask("eth_gasPrice"), 16),
        }
        signed = self._accounts[sender.lower()].sign_transaction(transaction)
        return self._ask("eth_sendRawTransaction", "0x" + signed.raw_transaction.hex())

    def _ask(self, method: str, *parameters: Any) -> Any:
        question = {"jsonrpc": "2.0", "id": 1, "method": method, "params": parameters}
        with httpx.Client(trust_env=False) as http:
            answer = http.post(self._rpc_url, json=question).json()
        assert "error" not in answer, answer
        return answer["result"]


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
