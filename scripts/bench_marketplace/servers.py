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
from dataclasses import dataclass
from pathlib import Path

from scripts.ports import free_port

_START_S = 60
_STOP_S = 30
# The benchmark asks more often than a person may; the limit itself stays in the way.
_NO_LIMIT = {
    "SWARM_MARKET_REQUESTS_PER_MINUTE": "100000000",
    "SWARM_MARKET_SIGN_INS_PER_MINUTE": "100000000",
}


@dataclass(frozen=True, slots=True)
class Database:
    """An empty database on a PostgreSQL of our own."""

    url: str
    folder: Path


@contextmanager
def postgres() -> Iterator[Database]:
    """A PostgreSQL that ends with the context."""
    from pgserver import get_server  # type: ignore[attr-defined]  # it has no __all__

    # As root, pgserver runs the server as another user, who has to get in.
    folder = Path(tempfile.mkdtemp(prefix="bench-pg-"))
    started = get_server(folder / "data", cleanup_mode="stop")
    try:
        yield Database(started.get_uri(), folder / "data")
    finally:
        started.cleanup()
        shutil.rmtree(folder, ignore_errors=True)


@dataclass(frozen=True, slots=True)
class Serving:
    """A `swarm-market serve` and the PostgreSQL behind it."""

    url: str
    pid: int
    database_folder: Path

    def cpu_s(self) -> float:
        """CPU time that both have used up to now: what a busy machine does not make longer."""
        postmaster = int((self.database_folder / "postmaster.pid").read_text().split()[0])
        ticks = sum(_ticks(pid) for pid in (self.pid, postmaster, *_children(postmaster)))
        return ticks / os.sysconf("SC_CLK_TCK")


def _ticks(pid: int) -> int:
    """Of a process, and of those of its children that have ended; none of one that has."""
    try:
        told = Path(f"/proc/{pid}/stat").read_text()
    except FileNotFoundError:  # PostgreSQL's workers come and go; their parent keeps the count
        return 0
    # proc(5): utime is the 14th field, then stime, cutime, cstime; a name in brackets may have
    # spaces.
    return sum(map(int, told.rpartition(")")[2].split()[11:15]))


def _children(pid: int) -> list[int]:
    return [int(each) for each in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


@contextmanager
def serving(database: Database, folder: Path, rpc_url: str) -> Iterator[Serving]:
    """A `swarm-market serve` that ends with the context."""
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
            env={**os.environ, **_NO_LIMIT, "SWARM_MARKET_DATABASE_URL": database.url},
        )
    url = f"http://127.0.0.1:{port}"
    try:
        _wait(process, url, log)
        yield Serving(url, process.pid, database.folder)
    finally:
        process.terminate()
        try:
            process.wait(_STOP_S)
        except subprocess.TimeoutExpired:
            process.kill()
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
