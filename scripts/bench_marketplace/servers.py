"""What the marketplace runs on, started for a while: PostgreSQL, and its own server process."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from scripts.local_swarm import free_port

_START_S = 60
_STOP_S = 30
# The benchmark asks more often than a person may; the limit itself stays in the way.
_NO_LIMIT = {
    "SWARM_MARKET_REQUESTS_PER_MINUTE": "100000000",
    "SWARM_MARKET_SIGN_INS_PER_MINUTE": "100000000",
}


@contextmanager
def postgres() -> Iterator[str]:
    """The URL of an empty database on a PostgreSQL that ends with the context."""
    import pgserver

    # As root, pgserver runs the server as another user, who has to get in.
    folder = Path(tempfile.mkdtemp(prefix="bench-pg-"))
    started = pgserver.get_server(folder / "data", cleanup_mode="stop")
    try:
        yield started.get_uri()
    finally:
        started.cleanup()
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def serving(folder: Path, database_url: str, rpc_url: str) -> Iterator[str]:
    """The URL of a `swarm-market serve` that ends with the context."""
    port, log = free_port(), folder / "serve.log"
    with log.open("ab") as output:
        process = subprocess.Popen(
            [
                *(str(Path(sys.executable).with_name("swarm-market")), "serve"),
                *("--folder", str(folder), "--rpc-url", rpc_url),
                *("--web-port", str(port), "--agent-port", str(free_port())),
            ],
            stdout=output,
            stderr=output,
            env={**os.environ, **_NO_LIMIT, "SWARM_MARKET_DATABASE_URL": database_url},
        )
    url = f"http://127.0.0.1:{port}"
    try:
        _wait(process, url, log)
        yield url
    finally:
        process.terminate()
        process.wait(_STOP_S)


def _wait(process: subprocess.Popen[bytes], url: str, log: Path) -> None:
    deadline = time.monotonic() + _START_S
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise RuntimeError(f"the server ended: {log.read_text()}")
        try:
            with urllib.request.urlopen(f"{url}/healthz", timeout=5):
                return
        except urllib.error.URLError:
            time.sleep(0.1)  # a process that starts has no way to tell us
    raise TimeoutError(f"no answer from {url} within {_START_S} s: {log.read_text()}")
