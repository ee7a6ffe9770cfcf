"""What a round was made of, kept for as long as it may be disputed, so that anyone can audit it.

Files of rounds that nobody trains from any more move here from the store, with the signed rosters
and commits that name them. They are deleted once the agreement's dispute time is over, or, oldest
first, when they take more room than the operator allows.
"""

from __future__ import annotations

import json
import logging
import os
import shutil
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from node_agent.peers.protocol import Envelope

log = logging.getLogger(__name__)

ROSTERS_FILE = "rosters.json"
_ROOT_CHARS = 64  # of a file's name: whatever has another was on its way to get one


@dataclass(frozen=True, slots=True)
class _Kept:
    folder: Path
    size: int  # [bytes]
    since_s: float  # unix time of the last change


def write_rosters(folder: Path, rosters: Sequence[Envelope]) -> None:
    """Note a round's closed rosters, each with its commits, beside the round's files."""
    scratch = folder / f".{ROSTERS_FILE}"
    scratch.write_text(json.dumps([each.to_json() for each in rosters]), encoding="utf-8")
    os.replace(scratch, folder / ROSTERS_FILE)


class Archive:
    """Folders of past rounds under `folder`, the oldest first."""

    def __init__(self, folder: Path, keep_s: float, keep_bytes: int) -> None:
        """Take up what is there. `keep_s`: after a round's last change; zero keeps nothing."""
        self._folder, self._keep_s, self._keep_bytes = folder, keep_s, keep_bytes
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._kept = deque(_kept(each) for each in sorted(folder.glob("round-*")))
        self._size = sum(each.size for each in self._kept)

    def take(self, folder: Path) -> None:
        """Move a round's folder here, without what never became a file of the round."""
        place = self._folder / folder.name
        if place.exists():
            self._forget(place)  # a restarted agent has put the initial model back
        place.mkdir(mode=0o700, exist_ok=True)
        for path in folder.iterdir():
            if path.name == ROSTERS_FILE or len(path.stem) == _ROOT_CHARS:
                path.replace(place / path.name)
        shutil.rmtree(folder, ignore_errors=True)
        self._kept.append(_kept(place))
        self._size += self._kept[-1].size
        self.sweep()

    def _forget(self, place: Path) -> None:
        for each in [each for each in self._kept if each.folder == place]:
            self._kept.remove(each)
            self._size -= each.size

    def sweep(self) -> None:
        """Delete what is out of dispute, and what there is no room for."""
        oldest_s = time.time() - self._keep_s
        while self._kept and (self._kept[0].since_s <= oldest_s or self._size > self._keep_bytes):
            gone = self._kept.popleft()
            if gone.since_s > oldest_s:
                log.warning(
                    "No room for the files of %s, which may still be disputed: raise "
                    "archive_gb to keep them.",
                    gone.folder.name,
                )
            self._size -= gone.size
            shutil.rmtree(gone.folder, ignore_errors=True)


def keep_rounds_of(folder: Path, keep_s: float, keep_bytes: int) -> None:
    """Delete what is out of dispute in all archives below `folder`, one a run."""
    for run in folder.glob("*/"):
        Archive(run, keep_s, keep_bytes).sweep()


def _kept(folder: Path) -> _Kept:
    sizes = [path.stat().st_size for path in folder.iterdir()]
    return _Kept(folder, sum(sizes), folder.stat().st_mtime)
