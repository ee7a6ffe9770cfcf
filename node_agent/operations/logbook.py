"""The agent's own copy of its log: JSON lines in its folder, a few files of bounded size.

`swarm-node logs` shows it, `collect-logs` packs it. What goes to stderr is the same, in the form
that the settings ask for.
"""

from __future__ import annotations

import json
import logging
import os
import time
from collections import deque
from collections.abc import Iterator
from datetime import datetime
from logging.handlers import RotatingFileHandler
from pathlib import Path
from typing import Any

from node_agent.errors import AgentStateError

NAME = "agent.log"
_FILE_BYTES = 10_000_000
_OLD_FILES = 4
_LOOK_AGAIN_S = 0.5
LEVELS = ("debug", "info", "warning", "error", "critical")


def handler(folder: Path, formatter: logging.Formatter) -> logging.Handler:
    """Write the log to `folder` too; at most 50 MB, the oldest lines go first.

    Raises:
        AgentStateError: the folder cannot be written to.
    """
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        made = RotatingFileHandler(
            folder / NAME, maxBytes=_FILE_BYTES, backupCount=_OLD_FILES, encoding="utf-8"
        )
        (folder / NAME).chmod(0o600)
    except OSError as error:
        raise AgentStateError(
            f"cannot write {folder / NAME}: {error.strerror}",
            hint="the agent's user must own the folder that `folder` names",
        ) from error
    made.setFormatter(formatter)
    return made


def files(folder: Path) -> list[Path]:
    """The log's files, oldest first."""
    numbered = [folder / f"{NAME}.{number}" for number in range(_OLD_FILES, 0, -1)]
    return [path for path in (*numbered, folder / NAME) if path.is_file()]


def last(folder: Path, count: int, level: str = "debug") -> list[dict[str, Any]]:
    """The last `count` entries of at least this level, oldest first.

    Raises:
        AgentStateError: there is no log.
    """
    found = files(folder)
    if not found:
        raise AgentStateError(
            f"no log in {folder}", hint="has the agent run with these settings? see --config"
        )
    newest: deque[dict[str, Any]] = deque(maxlen=count)
    for path in found:
        with path.open(encoding="utf-8", errors="replace") as lines:
            newest.extend(entry for line in lines if (entry := parse(line, level)))
    return list(newest)


def follow(folder: Path, level: str = "debug") -> Iterator[dict[str, Any]]:
    """Entries as they are written from now on, across rotations; never ends."""
    path = folder / NAME
    file = path.open(encoding="utf-8", errors="replace")
    file.seek(0, 2)
    rest = ""
    while True:
        rest += file.readline()
        if rest.endswith("\n"):
            if entry := parse(rest, level):
                yield entry
            rest = ""
            continue
        if (
            not rest
            and path.exists()
            and not os.path.samestat(path.stat(), os.fstat(file.fileno()))
        ):
            file.close()
            file = path.open(encoding="utf-8", errors="replace")
            continue
        time.sleep(_LOOK_AGAIN_S)  # a person watches; the standard library has no inotify


def parse(line: str, level: str = "debug") -> dict[str, Any] | None:
    """One line as an entry; None for what is below `level`, or was torn by a crash."""
    try:
        entry = json.loads(line)
    except ValueError:
        return None
    if not isinstance(entry, dict) or entry.get("level") not in LEVELS:
        return None
    return entry if LEVELS.index(entry["level"]) >= LEVELS.index(level) else None


def as_text(entry: dict[str, Any]) -> str:
    """An entry for people: time in their zone, level, message."""
    when = datetime.fromisoformat(entry["time"]).astimezone()
    text = f"{when:%Y-%m-%d %H:%M:%S} {entry['level'].upper():<7} {entry['message']}"
    return text + (f"\n{entry['exception']}" if "exception" in entry else "")
