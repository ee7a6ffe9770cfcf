"""The audit trail: one entry for each transaction that changed something, in that transaction.

An entry's hash is the SHA-256 of its canonical JSON, which holds the hash of the entry before. So
whoever knows one hash, from the chain or from a copy, knows all that came before; nothing of it can
be changed, left out or put in without a trace. Left out are copies of what is public on chain,
heartbeats, and what was asked but never granted (see `storage.changes.UNRECORDED`).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.orm import Session

from marketplace.storage.changes import Change
from marketplace.storage.database import BeforeCommit
from marketplace.storage.models import Anchor, TrailEntry
from marketplace.trail.actor import actor

BEGINNING: Final = "0" * 64
_LONGEST: Final = 200
_CHUNK: Final = 1_000


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a check found.

    Attributes:
        entries: how many were read.
        head: hash of the last one.
        broken: what is wrong, each in a sentence; empty if nothing.
    """

    entries: int
    head: str
    broken: tuple[str, ...]


def recorder(clock: Callable[[], int]) -> BeforeCommit:
    """What a database does at the end of every writing transaction."""

    def record(session: Session, what: str, changes: Sequence[Change]) -> None:
        number, previous = head(session)
        entry = TrailEntry(
            number=number + 1,
            at_s=clock(),
            who=actor(),
            what=what[:_LONGEST],
            changes=[[each.verb, each.table, each.key, each.sha256] for each in changes],
            previous=previous,
        )
        entry.hash = hash_of(entry)
        session.add(entry)

    return record


def head(session: Session) -> tuple[int, str]:
    """Number and hash of the last entry; (0, zeros) of an empty trail."""
    query = sa.select(TrailEntry.number, TrailEntry.hash).order_by(TrailEntry.number.desc())
    row = session.execute(query.limit(1)).first()
    return (0, BEGINNING) if row is None else (row.number, row.hash)


def hash_of(entry: TrailEntry) -> str:
    """SHA-256, 64 hexadecimal digits."""
    text = json.dumps(
        [entry.number, entry.at_s, entry.who, entry.what, entry.changes, entry.previous],
        separators=(",", ":"),
        ensure_ascii=False,
    )
    return hashlib.sha256(text.encode()).hexdigest()


def view(entry: TrailEntry) -> dict[str, Any]:
    """An entry as the API shows it."""
    names = ("verb", "table", "key", "sha256")
    return {
        "number": entry.number,
        "at_s": entry.at_s,
        "who": entry.who,
        "what": entry.what,
        "changes": [dict(zip(names, each, strict=True)) for each in entry.changes],
        "previous": entry.previous,
        "hash": entry.hash,
    }


def entries(session: Session, after: int, limit: int) -> list[dict[str, Any]]:
    """Entries from after a number on, oldest first."""
    query = sa.select(TrailEntry).where(TrailEntry.number > after).order_by(TrailEntry.number)
    return [view(row) for row in session.scalars(query.limit(limit))]


def verify(session: Session) -> Verdict:
    """Reads the whole trail, and compares it with itself and with the anchors that are kept."""
    broken: list[str] = []
    number, previous = 0, BEGINNING
    anchors = {row.number: row for row in session.scalars(sa.select(Anchor))}
    while rows := session.scalars(
        sa.select(TrailEntry)
        .where(TrailEntry.number > number)
        .order_by(TrailEntry.number)
        .limit(_CHUNK)
    ).all():
        for row in rows:
            if row.number != number + 1:
                broken.append(f"entries {number + 1} to {row.number - 1} are missing")
            elif row.previous != previous:
                broken.append(f"entry {row.number} does not follow entry {number}")
            if hash_of(row) != row.hash:
                broken.append(f"entry {row.number} was changed: its hash is another one")
            anchor = anchors.pop(row.number, None)
            if anchor is not None and anchor.hash != row.hash:
                broken.append(
                    f"entry {row.number} is not the one that was anchored in {anchor.transaction}"
                )
            number, previous = row.number, row.hash
        session.expunge_all()
    broken += [f"entry {gone} was anchored and is missing" for gone in sorted(anchors)]
    return Verdict(number, previous, tuple(broken))
