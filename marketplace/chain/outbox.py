"""What is to be posted on chain: rows that are written with the state they belong to.

An operation is decided in the transaction that decides everything else, and posted later by the
relayer. Its outcome is read from the indexed events: what a receipt said may be undone by a
reorganization, and what the relayer lost in a crash the chain still knows.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.orm import Session

from marketplace.access import Caller, visible
from marketplace.agreements.admission import must_be_admitted
from marketplace.errors import Conflict, NotFound
from marketplace.identity.repeats import current_key
from marketplace.identity.secrets import new_id
from marketplace.storage.models import Event, Operation

QUEUED: Final = "queued"
SENT: Final = "sent"
CONFIRMED: Final = "confirmed"
FAILED: Final = "failed"

# After a worker's death, another one's patience.
CLAIM_S: Final = 60


def enqueue(
    session: Session,
    kind: str,
    effect: str,
    agreement_id: str,
    payload: dict[str, Any],
    now_s: int,
) -> Operation:
    """Adds a posting to the outbox; a request that is repeated gets the one that it made.

    Args:
        kind: which posting, a key of `postings.KINDS`.
        effect: what it brings about; posting the same twice is refused unless the first failed.
        agreement_id: whose parties may see the operation.
        payload: JSON that the posting is made of: messages and signatures.

    Raises:
        Conflict: an operation with the same effect is under way or done.
        NotAllowed: this marketplace does not post for that agreement.
    """
    must_be_admitted(session, agreement_id)
    same = sa.select(Operation).where(Operation.effect == effect, Operation.state != FAILED)
    if (earlier := session.scalar(same)) is not None:
        if earlier.retry_key is not None and earlier.retry_key == current_key():
            return earlier
        raise Conflict(
            f"this was posted before: operation {earlier.id} is {earlier.state}",
            hint=f"GET /api/operations/{earlier.id} tells how it went",
        )
    operation = Operation(
        id=new_id(),
        kind=kind,
        effect=effect,
        agreement_id=agreement_id,
        payload=payload,
        state=QUEUED,
        attempts=0,
        retry_key=current_key(),
        created_s=now_s,
        updated_s=now_s,
    )
    session.add(operation)
    session.flush()
    return operation


def claim(session: Session, worker: str, now_s: int) -> Sequence[Operation]:
    """What a worker has to deal with, oldest first: all that no other one is dealing with.

    A claim holds for `CLAIM_S` after it was last renewed here. Rows that another transaction is
    claiming at this moment are skipped, not waited for.

    Args:
        worker: who works; one that is started again under the same name goes on with its own.
    """
    free = sa.or_(
        Operation.claimed_by.is_(None),
        Operation.claimed_by == worker,
        Operation.claimed_until_s <= now_s,
    )
    waiting = sa.select(Operation).where(Operation.state.in_((QUEUED, SENT)), free)
    rows = session.scalars(
        waiting.order_by(Operation.created_s, Operation.id).with_for_update(skip_locked=True)
    ).all()
    for row in rows:
        if row.claimed_by != worker or (row.claimed_until_s or 0) < now_s + CLAIM_S // 2:
            row.claimed_by, row.claimed_until_s = worker, now_s + CLAIM_S
    session.flush()
    session.expunge_all()
    return rows


def sending(session: Session, operation_id: str, now_s: int) -> None:
    """Notes that a posting is about to be sent: from here on it may have happened."""
    row = session.get_one(Operation, operation_id)
    row.state, row.updated_s = SENT, now_s
    row.attempts += 1
    row.transaction = row.posted_block = row.refused_block = row.error = row.hint = None


def posted(
    session: Session, operation_id: str, transaction: str, block: int | None, now_s: int
) -> None:
    """Notes a transaction, and the block that it was seen in (None: in none yet)."""
    row = session.get_one(Operation, operation_id)
    row.transaction, row.posted_block, row.updated_s = transaction, block, now_s


def refused(
    session: Session, operation_id: str, block: int, error: str, hint: str, now_s: int
) -> None:
    """Notes that the contracts refused as of a block; the events up to it will show why."""
    row = session.get_one(Operation, operation_id)
    row.refused_block, row.error, row.hint, row.updated_s = block, error, hint, now_s


def confirmed(
    session: Session, operation_id: str, transaction: str, result: dict[str, Any], now_s: int
) -> None:
    """Notes that the effect is in a confirmed block."""
    row = session.get_one(Operation, operation_id)
    row.state, row.updated_s = CONFIRMED, now_s
    row.transaction, row.result = transaction, result
    row.refused_block = row.error = row.hint = None


def failed(session: Session, operation_id: str, error: str, hint: str, now_s: int) -> None:
    """Gives an operation up."""
    row = session.get_one(Operation, operation_id)
    row.state, row.error, row.hint, row.updated_s = FAILED, error, hint, now_s


def show(session: Session, caller: Caller, operation_id: str) -> dict[str, Any]:
    """How an operation is doing.

    Raises:
        NotFound: there is none that the caller may see.
    """
    # A wallet that has just been moved away from sees how that went, though nothing else any more.
    moved = sa.and_(
        Operation.kind == "move-wallet",
        Operation.payload["old_wallet"].as_string() == caller.wallet,
    )
    row = session.scalar(
        sa.select(Operation).where(
            Operation.id == operation_id, sa.or_(visible(caller, Operation.agreement_id), moved)
        )
    )
    if row is None:
        raise NotFound(f"no operation {operation_id}")
    return view(row)


def made_by(session: Session, retry_key: str) -> dict[str, Any] | None:
    """The operation that a request with a key of its own has queued, if it has."""
    row = session.scalar(sa.select(Operation).where(Operation.retry_key == retry_key))
    return None if row is None else view(row)


def view(row: Operation) -> dict[str, Any]:
    """An operation as the API shows it."""
    return {
        "id": row.id,
        "kind": row.kind,
        "state": row.state,
        "agreement": row.agreement_id,
        "transaction": row.transaction,
        "error": row.error if row.state == FAILED else None,
        "hint": row.hint if row.state == FAILED else None,
        "result": row.result,
        "created_s": row.created_s,
        "updated_s": row.updated_s,
    }


def events_of(
    session: Session, kind: str, *, agreement_id: str | None = None, run_id: str | None = None
) -> Sequence[Event]:
    """Indexed events of a kind in the order of the chain."""
    query = sa.select(Event).where(Event.kind == kind).order_by(Event.block, Event.log_index)
    if agreement_id is not None:
        query = query.where(Event.agreement_id == agreement_id)
    if run_id is not None:
        query = query.where(Event.run_id == run_id)
    return session.scalars(query).all()
