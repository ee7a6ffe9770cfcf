"""The anvil process of an embedded chain: found, started, ended; and its state on disk."""

from __future__ import annotations

import asyncio
import contextlib
import gzip
import json
import logging
import os
import shutil
import socket
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from contracts.errors import EmbeddedChainError
from contracts.files import replace_file

_LOG: Final = logging.getLogger(__name__)
HOST: Final = "127.0.0.1"
START_TIMEOUT_S: Final = 20.0
_STOP_TIMEOUT_S: Final = 20.0
_PACKAGE: Final = "node_modules/@foundry-rs/anvil-linux-amd64/bin/anvil"

# Starts anvil so that the kernel ends it, in good order, when the process that asked for it dies.
_LAUNCHER: Final = """
import ctypes, os, signal, sys
PR_SET_PDEATHSIG = 1
if ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0):
    sys.exit("prctl: " + os.strerror(ctypes.get_errno()))
if os.getppid() != int(sys.argv[1]):
    sys.exit("the parent is gone")
os.execv(sys.argv[2], sys.argv[2:])
"""


def find_anvil() -> Path:
    """Returns anvil's binary: on the PATH, or in a node_modules folder at or above this package.

    Raises:
        EmbeddedChainError: it is not installed.
    """
    if on_path := shutil.which("anvil"):
        return Path(on_path)
    for folder in (Path.cwd(), *Path(__file__).resolve().parents):
        if (packaged := folder / _PACKAGE).is_file():
            return packaged
    raise EmbeddedChainError(
        "anvil is not installed",
        hint="run `make install`, put anvil on the PATH, or use the endpoint of a real chain",
    )


async def spawn(options: Sequence[str], log: Path) -> asyncio.subprocess.Process:
    """Starts anvil, which writes its complaints into the log. It dies with the calling thread."""
    descriptor = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    try:
        return await asyncio.create_subprocess_exec(
            sys.executable, "-I", "-S", "-c", _LAUNCHER, str(os.getpid()), str(find_anvil()),
            *options,
            stdin=asyncio.subprocess.DEVNULL, stdout=descriptor, stderr=descriptor,
            cwd=log.parent,
        )  # fmt: skip
    finally:
        os.close(descriptor)


async def listens(process: asyncio.subprocess.Process, port: int) -> bool:
    """Waits until this very process owns the port: somebody else may have taken it.

    Returns False when it ended, or did not get there within `START_TIMEOUT_S`.
    """
    deadline = time.monotonic() + START_TIMEOUT_S
    while process.returncode is None and time.monotonic() < deadline:
        if _owns_port(process.pid, port):
            return True
        # There is nothing to be told by: anvil is silent when asked to be.
        await asyncio.sleep(0.01)
    return False


async def end(process: asyncio.subprocess.Process) -> None:
    """Lets anvil end in good order, writing its state; kills it if that takes too long."""
    if process.returncode is None:
        with contextlib.suppress(ProcessLookupError):
            process.terminate()
        try:
            await asyncio.wait_for(process.wait(), _STOP_TIMEOUT_S)
        except TimeoutError:
            _LOG.warning("anvil did not stop within %g s and is killed", _STOP_TIMEOUT_S)
            process.kill()
            await process.wait()


def free_port() -> int:
    """Returns a port on loopback that nobody uses at this moment."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])


def write_state(path: Path, packed: str) -> None:
    """Writes what anvil_dumpState gave as the JSON that anvil loads: whole or not at all."""
    replace_file(path, gzip.decompress(bytes.fromhex(packed[2:])))


def recover_state(kept: Path, last: Path) -> None:
    """Takes what anvil wrote on its way out, if it came to an end with it and knows more."""
    if _height(last) >= max(0, _height(kept)):
        os.replace(last, kept)
    last.unlink(missing_ok=True)


def _height(path: Path) -> int:
    """The last block of a state file; -1 if there is none or it was cut short."""
    try:
        best = json.loads(path.read_bytes())["best_block_number"]
        return int(best, 16) if isinstance(best, str) else int(best)
    except (OSError, ValueError, KeyError, TypeError):
        return -1


def _owns_port(pid: int, port: int) -> bool:
    listening = f"0100007F:{port:04X}"
    try:
        with open(f"/proc/{pid}/net/tcp", encoding="ascii") as table:
            rows = [row.split() for row in table]
        inodes = {row[9] for row in rows if row[1] == listening and row[3] == "0A"}
        links = [os.readlink(link) for link in Path(f"/proc/{pid}/fd").iterdir()]
    except OSError:  # it is ending, or a descriptor closed meanwhile: look again
        return False
    return any(f"socket:[{inode}]" in links for inode in inodes)
