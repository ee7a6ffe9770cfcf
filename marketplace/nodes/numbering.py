"""Where an enrollment stands, and the number it needs.

The chain takes an organization's enrollments in the order of their numbers. Several nodes may ask
at once, so each gets the number behind those that wait.
"""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy.orm import Session

from marketplace.chain import outbox
from marketplace.errors import Conflict
from marketplace.storage.models import Enrollment, Event


def state(row: Enrollment) -> str:
    """awaiting-key, awaiting-owner, queued, sent, enrolled or failed."""
    if row.operation is not None:
        return "enrolled" if row.operation.state == outbox.CONFIRMED else row.operation.state
    return "awaiting-owner" if row.key_signature else "awaiting-key"


def is_stale(row: Enrollment, nonce: int, now_s: int) -> bool:
    """Whether the message can no longer be enrolled with: its number is used up, or it is late."""
    if row.operation is not None and row.operation.state != outbox.FAILED:
        return False
    outrun = int(row.message["nonce"]) < nonce
    return outrun or int(row.message["deadline"]) <= now_s


def next_nonce(session: Session, agreement_id: str, party: int, nonce: int, now_s: int) -> int:
    """The chain's next number, or the one behind those that wait to be posted."""
    rows = session.scalars(
        sa.select(Enrollment).where(
            Enrollment.agreement_id == agreement_id, Enrollment.party == party
        )
    )
    waiting = [
        int(row.message["nonce"]) + 1
        for row in rows
        if int(row.message["deadline"]) > now_s
        and (row.operation is None or row.operation.state != outbox.FAILED)
    ]
    return max([nonce, *waiting])


def refuse_used_key(session: Session, agreement_id: str, key: str) -> None:
    """Keys are used once under an agreement. Raises Conflict."""
    query = sa.select(Event).where(Event.agreement_id == agreement_id, Event.kind == "NodeEnrolled")
    if any(event.data["key"] == key for event in session.scalars(query)):
        raise Conflict(
            f"the key {key} was enrolled under this agreement before",
            hint="keys are used once: let the node make a new one",
        )
