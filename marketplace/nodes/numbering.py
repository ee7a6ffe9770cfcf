"""Where an enrollment stands, and the number it needs.

The chain takes an organization's enrollments in the order of their numbers. Several nodes may ask
at once, so each gets the number behind those that wait.
"""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy.orm import Session

from marketplace.chain import outbox
from marketplace.errors import Conflict
from marketplace.storage.models import Enrollment, Event, Operation, Rejection


def state(row: Enrollment) -> str:
    """awaiting-key, awaiting-owner, rejected, queued, sent, enrolled or failed."""
    if row.rejection is not None:
        return "rejected"
    if row.operation is not None:
        return "enrolled" if row.operation.state == outbox.CONFIRMED else row.operation.state
    return "awaiting-owner" if row.key_signature else "awaiting-key"


def unsettled() -> sa.ColumnElement[bool]:
    """The condition under which an enrollment is neither enrolled nor rejected."""
    confirmed = sa.select(Operation.id).where(Operation.state == outbox.CONFIRMED)
    return sa.and_(
        Enrollment.id.not_in(sa.select(Rejection.enrollment_id)),
        sa.or_(Enrollment.operation_id.is_(None), Enrollment.operation_id.not_in(confirmed)),
    )


def is_stale(session: Session, row: Enrollment, nonce: int, now_s: int) -> bool:
    """Whether the message can no longer be enrolled with.

    Its number is used up, or it is late, or one before it was rejected, so that its turn would
    never come.
    """
    if row.operation is not None and row.operation.state != outbox.FAILED:
        return False
    own = int(row.message["nonce"])
    before = [number for number in _waiting(session, row, now_s) if nonce <= number < own]
    return own < nonce or own > nonce + len(set(before)) or int(row.message["deadline"]) <= now_s


def next_nonce(session: Session, agreement_id: str, party: int, nonce: int, now_s: int) -> int:
    """The chain's next number, or the first that nobody waits with."""
    like = Enrollment(id="", agreement_id=agreement_id, party=party)
    taken = set(_waiting(session, like, now_s))
    while nonce in taken:
        nonce += 1
    return nonce


def _waiting(session: Session, row: Enrollment, now_s: int) -> list[int]:
    """The numbers of the same party's other enrollments that may still be posted."""
    rows = session.scalars(
        sa.select(Enrollment).where(
            Enrollment.agreement_id == row.agreement_id,
            Enrollment.party == row.party,
            Enrollment.id != row.id,
        )
    )
    return [
        int(each.message["nonce"])
        for each in rows
        if each.rejection is None
        and int(each.message["deadline"]) > now_s
        and (each.operation is None or each.operation.state != outbox.FAILED)
    ]


def refuse_used_key(session: Session, agreement_id: str, key: str) -> None:
    """Keys are used once under an agreement. Raises Conflict."""
    query = sa.select(Event).where(Event.agreement_id == agreement_id, Event.kind == "NodeEnrolled")
    if any(event.data["key"] == key for event in session.scalars(query)):
        raise Conflict(
            f"the key {key} was enrolled under this agreement before",
            hint="keys are used once: let the node make a new one",
        )
