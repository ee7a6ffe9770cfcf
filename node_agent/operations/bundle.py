"""A bundle for whoever helps: what the agent is, says and wrote, and none of its secrets.

Files go in by name, not by leaving others out: what nobody has thought of stays at home.
"""

from __future__ import annotations

import io
import json
import platform
import re
import sys
import tarfile
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from node_agent.operations import logbook

_TAIL_BYTES = 20_000_000  # of a file that grows with the run
_ADDRESS = re.compile(
    r"(?P<scheme>\b[a-z][a-z0-9+.-]*://)(?P<user>[^/@\s\"']*@)?(?P<rest>[^\s\"']*)"
)


@dataclass(frozen=True, slots=True)
class Part:
    """One file of the bundle."""

    name: str
    content: bytes


def collect(
    folder: Path, config: Path, status: Mapping[str, Any], findings: list[dict[str, Any]]
) -> list[Part]:
    """What goes into the bundle.

    Args:
        folder: the agent's folder.
        config: its settings, of which passwords and query strings in addresses are blotted out.
        status: the running agent's; or why there is none, as {"error": …}.
        findings: those of `swarm-node validate`.
    """
    parts = [
        Part("about.json", _json(about())),
        Part("status.json", _json(status)),
        Part("validate.json", _json(findings)),
        Part("agent.toml", blot(_tail(config).decode("utf-8", "replace")).encode()),
        Part("folder.json", _json(list(listing(folder)))),
    ]
    for path in (*logbook.files(folder), folder / "rounds.jsonl"):
        if path.is_file():
            parts.append(Part(path.name, blot(_tail(path).decode("utf-8", "replace")).encode()))
    return parts


def pack(parts: list[Part], out: Path) -> None:
    """Write the bundle as a .tar.gz that only its owner may read."""
    out.touch(mode=0o600)
    with tarfile.open(out, "w:gz") as archive:
        for part in parts:
            member = tarfile.TarInfo(f"swarm-node/{part.name}")
            member.size, member.mtime, member.mode = len(part.content), int(time.time()), 0o600
            archive.addfile(member, io.BytesIO(part.content))


def about() -> dict[str, Any]:
    """Versions of what matters."""
    packages = ("swarm-marketplace", "numpy", "aiohttp", "cryptography", "web3", "blake3")
    return {
        "versions": {name: version(name) for name in packages},
        "python": sys.version,
        "platform": platform.platform(),
        "made_at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
    }


def listing(folder: Path) -> Iterator[dict[str, Any]]:
    """Names, sizes and modes of what lies in the folder; no content."""
    for path in sorted(folder.rglob("*")):
        try:
            found = path.lstat()
        except FileNotFoundError:
            continue
        yield {
            "name": str(path.relative_to(folder)),
            "bytes": found.st_size,
            "mode": oct(found.st_mode & 0o7777),
            "changed_s": int(found.st_mtime),
        }


def blot(text: str) -> str:
    """Take user names, passwords, paths and queries out of addresses.

    The key of a provider of chain access is part of the address's path: scheme and host stay.
    """
    return _ADDRESS.sub(_without_credentials, text)


def _without_credentials(found: re.Match[str]) -> str:
    if found["scheme"] == "spiffe://":
        return found[0]
    host, slash, _ = found["rest"].partition("/")
    host = host.partition("?")[0].partition("#")[0]
    return f"{found['scheme']}{'…@' if found['user'] else ''}{host}{'/…' if slash else ''}"


def _tail(path: Path) -> bytes:
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - _TAIL_BYTES))
        return file.read()


def _json(value: object) -> bytes:
    # What is told may quote an address, too.
    return blot(json.dumps(value, indent=2, default=str)).encode()
