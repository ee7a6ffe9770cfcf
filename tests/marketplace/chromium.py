"""A real browser, spoken to by its debugging protocol: pages with their scripts, and a wallet.

The wallet is what an extension would put into the page (EIP-1193); its keys stay here.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable
from types import TracebackType
from typing import Any, Self

import httpx
from websockets.sync.client import ClientConnection, connect

PROGRAM = shutil.which("chromium")
_FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    "--remote-debugging-port=0",
)
_WALLET = """
window.ethereum = { request({ method, params }) {
  return new Promise((resolve, reject) => {
    const id = String(Math.random());
    (window.walletCalls ??= {})[id] = [resolve, reject];
    askWallet(JSON.stringify({ id, method, params: params ?? [] }));
  });
} };
"""
Wallet = Callable[[str, list[Any]], Any]


class Browser:
    """One page. Errors of its scripts are gathered in `complaints`."""

    def __init__(self, wallet: Wallet | None = None) -> None:
        self._folder = tempfile.TemporaryDirectory(ignore_cleanup_errors=True)
        self._process = subprocess.Popen(
            [PROGRAM or "", *_FLAGS, f"--user-data-dir={self._folder.name}", "about:blank"],
            stderr=subprocess.PIPE,
            text=True,
        )
        self._wallet = wallet
        self._last_id = 0
        self.complaints: list[str] = []
        self._connection = self._connect()
        for domain in ("Page", "Runtime", "Log"):
            self._call(f"{domain}.enable")
        if wallet is not None:
            self._call("Runtime.addBinding", name="askWallet")
            self._call("Page.addScriptToEvaluateOnNewDocument", source=_WALLET)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._connection.close()
        self._process.terminate()
        self._process.wait(20)
        if self._process.stderr:
            self._process.stderr.close()
        self._folder.cleanup()

    def open(self, url: str) -> None:
        self._call("Page.navigate", url=url)
        self.until("document.readyState === 'complete' && location.href !== 'about:blank'")

    def evaluate(self, expression: str) -> Any:
        answer = self._call("Runtime.evaluate", expression=expression, returnByValue=True)
        return answer["result"].get("value")

    def until(self, expression: str, timeout_s: float = 20.0) -> Any:
        """Waits until an expression is true in the page."""
        deadline = time.monotonic() + timeout_s
        while not (value := self.evaluate(expression)):
            assert time.monotonic() < deadline, f"never: {expression}; {self.complaints}"
            time.sleep(0.05)  # the page has its own pace
        return value

    def click(self, selector: str) -> None:
        self.until(f"document.querySelector({selector!r}) !== null")
        self.evaluate(f"document.querySelector({selector!r}).click()")

    def _connect(self) -> ClientConnection:
        assert self._process.stderr is not None
        found = ""
        for line in self._process.stderr:
            if match := re.search(r"listening on (ws://\S+)", line):
                found = match[1]
                break
        port = found.split(":")[2].split("/")[0]
        pages = httpx.get(f"http://127.0.0.1:{port}/json", trust_env=False).json()
        page = next(each for each in pages if each["type"] == "page")
        return connect(page["webSocketDebuggerUrl"], max_size=None, proxy=None)

    def _call(self, method: str, **parameters: Any) -> Any:
        self._last_id = own = self._last_id + 1
        self._connection.send(json.dumps({"id": own, "method": method, "params": parameters}))
        while True:
            message = json.loads(self._connection.recv(timeout=20))
            if message.get("id") == own:
                assert "error" not in message, message
                return message["result"]
            self._hear(message)

    def _hear(self, event: dict[str, Any]) -> None:
        parameters = event.get("params", {})
        match event.get("method"):
            case "Runtime.exceptionThrown":
                self.complaints.append(json.dumps(parameters["exceptionDetails"])[:500])
            case "Log.entryAdded" if parameters["entry"]["level"] == "error":
                self.complaints.append(parameters["entry"]["text"])
            case "Page.javascriptDialogOpening":
                self.complaints.append(parameters["message"])
                self._tell("Page.handleJavaScriptDialog", accept=True)
            case "Runtime.bindingCalled":
                self._ask_wallet(json.loads(parameters["payload"]))

    def _ask_wallet(self, asked: dict[str, Any]) -> None:
        assert self._wallet is not None
        result = json.dumps(self._wallet(asked["method"], asked["params"]))
        expression = f"window.walletCalls['{asked['id']}'][0]({result})"
        self._tell("Runtime.evaluate", expression=expression)

    def _tell(self, method: str, **parameters: Any) -> None:
        """Asks for something without waiting for the answer, whose id nobody looks for."""
        self._connection.send(json.dumps({"id": 0, "method": method, "params": parameters}))
