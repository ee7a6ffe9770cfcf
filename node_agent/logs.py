"""Logs: on stderr, as text for people or as one JSON object a line; and in the agent's folder."""

from __future__ import annotations

import json
import logging
import sys
from datetime import UTC, datetime
from pathlib import Path

from node_agent.operations import logbook


class _JsonFormatter(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        entry = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        if record.exc_info:
            entry["exception"] = self.formatException(record.exc_info)
        return json.dumps(entry, ensure_ascii=False)


def configure(form: str, level: str, folder: Path | None = None) -> None:
    """Sets up logging for the process.

    Args:
        form: "text" or "json", on stderr.
        level: "debug", "info", "warning" or "error".
        folder: where a copy is kept, always as JSON; None: nowhere.

    Raises:
        AgentStateError: nothing can be written to `folder`.
    """
    handler = logging.StreamHandler(sys.stderr)
    if form == "json":
        handler.setFormatter(_JsonFormatter())
    else:
        handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)-7s %(message)s"))
    handlers: list[logging.Handler] = [handler]
    if folder is not None:
        handlers.append(logbook.handler(folder, _JsonFormatter()))
    logging.basicConfig(level=level.upper(), handlers=handlers, force=True)
