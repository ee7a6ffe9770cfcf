"""Processes of the command line, as a user would run them."""

from __future__ import annotations

import contextlib
import io
import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from unittest import mock

import httpx
from eth_account import Account

from contracts.keys import Signer, write_private
from marketplace.cli import main

START_TIMEOUT_S = 60
COMMAND = (sys.executable, "-c", "from marketplace.cli import main; main()")


class Process:
    """A `swarm-market` command that runs until it is stopped."""

    def __init__(self, *arguments: str, log: Path, command: tuple[str, ...] = COMMAND) -> None:
        self._log = log.open("ab")
        self._process = subprocess.Popen(
            [*command, *arguments], stdout=self._log, stderr=self._log, start_new_session=True
        )
        self.log = log

    def __enter__(self) -> Process:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def stop(self) -> int:
        """Asks it to end, and gives its exit status."""
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)
        status = self._process.wait(30)
        self._log.close()
        return status

    def kill(self) -> None:
        """kill -9."""
        os.kill(self._process.pid, signal.SIGKILL)
        self._process.wait(30)
        self._log.close()

    def wait_for(self, url: str) -> None:
        """Waits until something answers at a URL."""
        deadline = time.monotonic() + START_TIMEOUT_S
        while time.monotonic() < deadline:
            if self._process.poll() is not None:
                raise AssertionError(f"it ended: {self.log.read_text()}")
            try:
                httpx.post(url, json={}, timeout=5, trust_env=False)
                return
            except httpx.TransportError:
                time.sleep(0.1)  # a process that starts has no way to tell us
        raise AssertionError(f"no answer from {url}: {self.log.read_text()}")


@dataclass(frozen=True)
class Done:
    """What a command left behind."""

    stdout: str
    stderr: str


def run(*arguments: str, password: str = "", expected: int = 0) -> Done:
    """Runs a command to its end, in this process, and checks its exit code."""
    out, err = io.StringIO(), io.StringIO()
    with (
        mock.patch.dict(os.environ, {"SWARM_MARKET_PASSWORD": password}),
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(err),
    ):
        try:
            main(list(arguments))
            code: object = 0
        except SystemExit as end:
            code = end.code
    assert code == expected, out.getvalue() + err.getvalue()
    return Done(out.getvalue(), err.getvalue())


def wallet(file: Path, signer: Signer, password: str) -> Path:
    """A keystore that opens quickly: its password is worth nothing here."""
    keystore = Account.encrypt(signer.secret, password, kdf="pbkdf2", iterations=1)
    write_private(file, json.dumps(keystore))
    return file
