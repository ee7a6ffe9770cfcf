"""The books as the API shows them."""

from __future__ import annotations

from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.orm import Session

from marketplace.storage.models.ledger import LedgerEntry, LedgerPosting

MOST_AT_ONCE: Final = 200


def list_entries(
    session: Session, *, after: int = 0, limit: int = 50, run_id: str | None = None
) -> dict[str, Any]:
    """Entries in the order in which they were written, with their postings.

    Returns:
        `items`, and `next`: what to give as `after` for those that follow.
    """
    query = sa.select(LedgerEntry).where(LedgerEntry.number > after)
    if run_id is not None:
        # Accounts are named kind:scope[:party]; what a run moved has its id as the scope. Entry by
        # entry, until there are enough: a run's postings are too many to be looked for first.
        of_run = sa.exists().where(
            LedgerPosting.entry == LedgerEntry.number,
            LedgerPosting.account.like(f"%:{run_id}%"),
        )
        query = query.where(of_run)
    rows = session.scalars(query.order_by(LedgerEntry.number).limit(min(limit, MOST_AT_ONCE))).all()
    postings: dict[int, list[dict[str, str]]] = {}
    moved = sa.select(LedgerPosting).where(LedgerPosting.entry.in_([row.number for row in rows]))
    for posting in session.scalars(moved.order_by(LedgerPosting.entry, LedgerPosting.account)):
        shown = {"account": posting.account, "amount_wei": str(posting.amount_wei)}
        postings.setdefault(posting.entry, []).append(shown)
    items = [
        {
            "number": row.number,
            "what": row.what,
            "reversal": row.reversal,
            "block": row.block,
            "block_hash": row.block_hash,
            "log_index": row.log_index,
            "transaction": row.transaction,
            "postings": postings.get(row.number, []),
        }
        for row in rows
    ]
    return {"items": items, "next": rows[-1].number if rows else after}
