"""The latest warnings and errors of the log, for the status and for the operator's page."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from node_agent.operations.bundle import blot

_KEPT = 5
_LONGEST = 300


class Troubles(logging.Handler):
    """Remembers the last few; nothing that may be a secret is in them."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self._latest: deque[dict[str, Any]] = deque(maxlen=_KEPT)

    def emit(self, record: logging.LogRecord) -> None:
        text = blot(record.getMessage())
        printable = "".join(each if each.isprintable() else " " for each in text)
        self._latest.append(
            {
                "at_s": int(record.created),
                "level": record.levelname.lower(),
                "text": printable[:_LONGEST],
            }
        )

    def recent(self) -> list[dict[str, Any]]:
        """The newest first: `at_s` (unix s), `level`, `text`."""
        return list(reversed(self._latest))


@contextmanager
def remembered() -> Iterator[Troubles]:
    """Listen to the agent's log for as long as the block lasts."""
    troubles, log = Troubles(), logging.getLogger("node_agent")
    log.addHandler(troubles)
    try:
        yield troubles
    finally:
        log.removeHandler(troubles)
