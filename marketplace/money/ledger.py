"""The books as the API shows them."""

from __future__ import annotations

from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.orm import Session

from marketplace.access import Caller, visible
from marketplace.storage.models import Agreement, Event
from marketplace.storage.models.ledger import LedgerBalance, LedgerEntry, LedgerPosting
from metering.ledger import scope_of

MOST_AT_ONCE: Final = 200
_SHOWN: Final = (
    LedgerEntry.number,
    LedgerEntry.what,
    LedgerEntry.reversal,
    LedgerEntry.block,
    LedgerEntry.block_hash,
    LedgerEntry.log_index,
    LedgerEntry.transaction,
)


def list_entries(
    session: Session,
    caller: Caller,
    *,
    after: int = 0,
    limit: int = 50,
    run_id: str | None = None,
) -> dict[str, Any]:
    """Entries in the order in which they were written, with their postings.

    Admins and the marketplace's auditors see them all, others those of the runs and agreements that
    they take part in, or that they audit.

    Returns:
        `items`, and `next`: what to give as `after` for those that follow.

    Raises:
        SignInRequired: a visitor.
    """
    _ = caller.signed_in
    query = sa.select(*_SHOWN).where(LedgerEntry.number > after)
    sees_all = caller.is_admin or caller.is_auditor
    if run_id is not None or not sees_all:
        scopes = None if sees_all else _scopes(session, caller)
        accounts = [
            each
            for each in session.scalars(sa.select(LedgerBalance.account))
            if _concerns(each, scopes, run_id)
        ]
        # Entry by entry, until there are enough: postings are too many to be looked for first.
        query = query.where(
            sa.exists().where(
                LedgerPosting.entry == LedgerEntry.number, LedgerPosting.account.in_(accounts)
            )
        )
    query = query.order_by(LedgerEntry.number).limit(min(limit, MOST_AT_ONCE))
    items = [dict(row) | {"postings": []} for row in session.execute(query).mappings()]
    postings = {item["number"]: item["postings"] for item in items}
    moved = sa.select(LedgerPosting.entry, LedgerPosting.account, LedgerPosting.amount_wei).where(
        LedgerPosting.entry.in_(postings)
    )
    ordered = moved.order_by(LedgerPosting.entry, LedgerPosting.account)
    for number, account, amount_wei in session.execute(ordered):
        postings[number].append({"account": account, "amount_wei": str(amount_wei)})
    return {"items": items, "next": items[-1]["number"] if items else after}


def _scopes(session: Session, caller: Caller) -> set[str]:
    """The ids of agreements and of their runs that the caller may see."""
    agreements = session.scalars(sa.select(Agreement.id).where(visible(caller, Agreement.id)))
    runs = session.scalars(
        sa.select(Event.run_id).where(
            Event.kind == "RunCreated", visible(caller, Event.agreement_id)
        )
    )
    return {*agreements, *(each for each in runs if each)}


def _concerns(account: str, scopes: set[str] | None, run_id: str | None) -> bool:
    scope = scope_of(account)
    return (scopes is None or scope in scopes) and run_id in (None, scope)
