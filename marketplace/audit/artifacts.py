"""The nodes' files, wherever they lie: parameter files by their BLAKE3, rosters by their root.

A node keeps them under `exchange/` and `archive/` in its folder, see
`node_agent.engine.archive`. Any number of folders, of any nodes, may be given; what one node has
lost or altered, another may have.
"""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from blake3 import blake3

from contracts.errors import ChainError
from contracts.messages import Roster, Update, from_json, struct_hash
from marketplace.errors import InvalidInput

_ROOT = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class Commit:
    """A signed update: `registration` is whose node says so, `signature` has 65 bytes."""

    update: Update
    registration: int
    signature: bytes


@dataclass(frozen=True, slots=True)
class SignedRoster:
    """A roster as its leader closed it, with its members' commits."""

    roster: Roster
    registration: int
    signature: bytes
    commits: tuple[Commit, ...]


@dataclass(frozen=True, slots=True)
class Altered:
    """A file that is there, but is not what its name says."""

    path: Path
    found: bytes


class Artifacts:
    """What was found in the folders. Nothing is read before it is asked for."""

    def __init__(self, folders: Iterable[Path], files: Iterable[Path] = ()) -> None:
        """Look through the folders. `files`: also parameter files under other names.

        Raises:
            InvalidInput: a folder that is none.
        """
        self._paths: dict[bytes, list[Path]] = defaultdict(list)
        self._rosters: dict[bytes, list[SignedRoster]] = defaultdict(list)
        self._roots: dict[Path, bytes] = {}
        for folder in folders:
            if not folder.is_dir():
                raise InvalidInput(f"{folder} is no folder", hint="--artifacts: a node's folder")
            for path in sorted(folder.rglob("*.safetensors")):
                if _ROOT.fullmatch(path.stem):
                    self._paths[bytes.fromhex(path.stem)].append(path)
            for path in sorted(folder.rglob("rosters.json")):
                for each in _rosters(path):
                    self._rosters[struct_hash(each.roster)].append(each)
        for path in files:
            self._paths[_blake3(path)].append(path)

    def file(self, root: bytes) -> Path | Altered | None:
        """The file with this BLAKE3; None where there is none by this name."""
        altered = None
        for path in self._paths.get(root, ()):
            if path not in self._roots:
                self._roots[path] = _blake3(path)
            if self._roots[path] == root:
                return path
            altered = altered or Altered(path, self._roots[path])
        return altered

    def rosters(self, root: bytes) -> list[SignedRoster]:
        """The roster with this struct hash, as each node noted it."""
        return self._rosters.get(root, [])


def _blake3(path: Path) -> bytes:
    hasher = blake3(max_threads=blake3.AUTO)
    try:
        return hasher.update_mmap(path).digest()
    except OSError as error:
        raise InvalidInput(f"cannot read {path}: {error.strerror}") from error


def _rosters(path: Path) -> list[SignedRoster]:
    """What a node noted; nothing where the file is damaged: another node's may be whole."""
    try:
        return [_roster(each) for each in json.loads(path.read_text(encoding="utf-8"))]
    except (OSError, ValueError, KeyError, TypeError, RecursionError, ChainError):
        return []


def _roster(envelope: Any) -> SignedRoster:
    body = envelope["message"]
    commits = tuple(
        Commit(
            from_json(Update, each["message"]),
            int(each["registration"]),
            bytes.fromhex(each["signature"][2:]),
        )
        for each in body["updates"]
    )
    return SignedRoster(
        from_json(Roster, body["roster"]),
        int(envelope["registration"]),
        bytes.fromhex(envelope["signature"][2:]),
        commits,
    )
