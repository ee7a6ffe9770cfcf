"""How much the agent's folder holds, and what may go when it is too much.

What a running round needs is small and bounded: the store keeps three rounds of files. What grows
is the models that are kept after training, the exchange folders of runs that are over, and the
archive of past rounds, which has a limit of its own (see `node_agent.engine.archive`).
"""

from __future__ import annotations

import logging
import shutil
from dataclasses import dataclass
from pathlib import Path

log = logging.getLogger(__name__)

ARCHIVE = "archive"
EXCHANGE = "exchange"
MODELS = "models"


@dataclass(frozen=True, slots=True)
class Freed:
    """What a clean-up removed, and what is left."""

    removed: tuple[Path, ...]
    used_bytes: int


def used_bytes(folder: Path) -> int:
    """Bytes of parameter files and kept models in the agent's folder; hard links count once."""
    sizes: dict[tuple[int, int], int] = {}
    for part in (ARCHIVE, EXCHANGE, MODELS):
        for path in (folder / part).rglob("*"):
            try:
                found = path.stat()
            except FileNotFoundError:
                continue  # deleted meanwhile
            if path.is_file():
                sizes[found.st_dev, found.st_ino] = found.st_size
    return sum(sizes.values())


def make_room(folder: Path, quota_bytes: int, present: str) -> Freed:
    """Delete exchange folders of other runs, oldest first, until the folder keeps to its quota.

    Kept models are never deleted by themselves: somebody may want them. Only
    `swarm-node models remove` does that.

    Args:
        folder: the agent's.
        quota_bytes: as much as files may take; zero: no limit.
        present: name of the exchange folder of the run that this agent takes part in.
    """
    used = used_bytes(folder)
    removed: list[Path] = []
    if quota_bytes:
        others = [path for path in (folder / EXCHANGE).glob("*") if path.name != present]
        for path in sorted(others, key=lambda path: path.stat().st_mtime):
            if used <= quota_bytes:
                break
            shutil.rmtree(path, ignore_errors=True)
            removed.append(path)
            used = used_bytes(folder)
            log.info("%s is deleted: the folder held more than its quota.", path)
    if quota_bytes and used > quota_bytes:
        log.warning(
            "The folder holds %.1f GB, more than its quota of %.1f GB: `swarm-node models list` "
            "shows what can be removed.",
            used / 1e9,
            quota_bytes / 1e9,
        )
    return Freed(tuple(removed), used)
