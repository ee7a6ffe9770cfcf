"""What this node has signed, kept so that a restart repeats it instead of contradicting it.

Every signature is made inside one SQLite transaction: looked up, made if absent, committed to disk,
and only then handed out. Whatever moment the process is killed at, the message either was never
sent or will be sent again unchanged.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from node_agent.errors import AgentStateError

_SCHEMA = """
CREATE TABLE IF NOT EXISTS messages (
    prev TEXT NOT NULL, kind TEXT NOT NULL, term INTEGER NOT NULL,
    message TEXT NOT NULL, signature TEXT NOT NULL,
    PRIMARY KEY (prev, kind, term)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS facts (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
"""


@dataclass(frozen=True, slots=True)
class Entry:
    """One signed message as it was first sent: ``message`` is its JSON form."""

    kind: str
    term: int
    message: dict[str, Any]
    signature: str


class Journal:
    """The append-only record of one node, in one file.

    Raises ``AgentStateError`` when the file cannot be used (another agent holds it, disk full).
    """

    def __init__(self, path: Path) -> None:
        try:
            self._db = sqlite3.connect(path, isolation_level=None, timeout=2.0)
            path.chmod(0o600)
            # One agent per folder: the lock is held for as long as the connection is open.
            self._db.execute("PRAGMA locking_mode=EXCLUSIVE")
            self._db.execute("PRAGMA journal_mode=WAL")
            # FULL: a signature must be on disk before anyone sees it, also across a power cut.
            self._db.execute("PRAGMA synchronous=FULL")
            self._db.executescript(_SCHEMA)
        except sqlite3.Error as error:
            raise AgentStateError(
                f"The journal {path} cannot be opened: {error}",
                hint="Is another agent running on this folder? Is the disk full?",
            ) from error

    def find(self, prev: str, kind: str, term: int = 0) -> Entry | None:
        """The message of this kind that was signed for ``prev`` (and term), if any was."""
        row = self._db.execute(
            "SELECT message, signature FROM messages WHERE prev=? AND kind=? AND term=?",
            (prev, kind, term),
        ).fetchone()
        return Entry(kind, term, json.loads(row[0]), row[1]) if row else None

    def sign_once(
        self,
        prev: str,
        kind: str,
        term: int,
        message: dict[str, Any],
        sign: Callable[[], str],
    ) -> Entry:
        """Sign ``message`` unless one of its kind was signed for this prev and term: then that one.

        The caller sends what is returned, never what it passed in.
        """
        try:
            self._db.execute("BEGIN IMMEDIATE")
            try:
                found = self.find(prev, kind, term)
                if found is None:
                    found = Entry(kind, term, message, sign())
                    self._db.execute(
                        "INSERT INTO messages VALUES (?,?,?,?,?)",
                        (prev, kind, term, json.dumps(message), found.signature),
                    )
                self._db.execute("COMMIT")
            except BaseException:
                self._db.execute("ROLLBACK")
                raise
        except sqlite3.Error as error:
            raise AgentStateError(
                f"Nothing can be signed: the journal does not take it ({error}).",
                hint="Free disk space in the agent's folder and start the agent again.",
            ) from error
        return found

    def signed_for(self, prev: str) -> list[Entry]:
        """All messages this node signed for one ``prev``."""
        rows = self._db.execute(
            "SELECT kind, term, message, signature FROM messages WHERE prev=? ORDER BY kind, term",
            (prev,),
        )
        return [Entry(kind, term, json.loads(text), sig) for kind, term, text, sig in rows]

    def signed_in(self, kind: str, run_id: bytes, round_number: int) -> list[Entry]:
        """All messages of one kind that this node signed in a round, whatever its ``prev``."""
        rows = self._db.execute(
            "SELECT kind, term, message, signature FROM messages WHERE kind=?"
            " AND json_extract(message, '$.run_id')=? AND json_extract(message, '$.round')=?",
            (kind, "0x" + run_id.hex(), round_number),
        )
        return [Entry(found, term, json.loads(text), sig) for found, term, text, sig in rows]

    def fact(self, name: str) -> str | None:
        """A value kept under ``name``, or None."""
        row = self._db.execute("SELECT value FROM facts WHERE name=?", (name,)).fetchone()
        return row[0] if row else None

    def keep(self, name: str, value: str) -> None:
        """Keep a value under ``name``; the last one wins."""
        self._db.execute("INSERT OR REPLACE INTO facts VALUES (?,?)", (name, value))

    def close(self) -> None:
        """Release the file."""
        self._db.close()
