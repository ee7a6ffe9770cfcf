"""Who may see a draft, and what it looks like. Every query for drafts goes through here."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from marketplace.access import Caller
from marketplace.errors import NotAllowed, NotFound
from marketplace.storage.models import Comment, DraftSeat, DraftVersion, Invitation, Negotiation


def visible_negotiations(caller: Caller) -> sa.ColumnElement[bool]:
    """The condition under which the caller may see a draft.

    Admins and auditors of the marketplace see all; others those that they, or whom they operate or
    audit for, began or take part in.

    Raises:
        SignInRequired: a visitor. A public dashboard does not show drafts either.
    """
    wallets = caller.wallets
    if caller.is_admin or caller.is_auditor:
        return sa.true()
    return _concerns(wallets)


def may_negotiate(session: Session, caller: Caller, negotiation_id: str) -> bool:
    """Whether the caller may change a draft: its parties, who began it, and admins."""
    if caller.is_admin:
        return True
    query = sa.select(Negotiation.id).where(
        Negotiation.id == negotiation_id, _concerns(frozenset({caller.signed_in}))
    )
    return session.scalar(query) is not None


def _concerns(wallets: frozenset[str]) -> sa.ColumnElement[bool]:
    seats = sa.select(DraftSeat.negotiation_id).where(DraftSeat.wallet.in_(wallets))
    return sa.or_(Negotiation.started_by.in_(wallets), Negotiation.id.in_(seats))


def negotiation_seen(
    session: Session, caller: Caller, negotiation_id: str, *, lock: bool = False
) -> Negotiation:
    """A draft that the caller may see; locked for those that decide on its state.

    Raises:
        NotFound: there is none, or it is none of his business.
    """
    query = sa.select(Negotiation).where(
        Negotiation.id == negotiation_id, visible_negotiations(caller)
    )
    found = session.scalar(query.with_for_update() if lock else query)
    if found is None:
        raise NotFound(f"you take part in no draft {negotiation_id}")
    return found


def negotiated(
    session: Session, caller: Caller, negotiation_id: str, *, lock: bool = False
) -> Negotiation:
    """A draft that the caller may change; see `negotiation_seen`.

    Raises:
        NotFound: there is none, or it is none of his business.
        NotAllowed: he may look, but takes no part in it: a party's operator.
    """
    row = negotiation_seen(session, caller, negotiation_id, lock=lock)
    if not may_negotiate(session, caller, negotiation_id):
        raise NotAllowed(
            "a draft is negotiated by its parties", hint="sign in with the wallet of one of them"
        )
    return row


def last_version(session: Session, negotiation_id: str) -> DraftVersion:
    return session.scalars(
        sa.select(DraftVersion)
        .where(DraftVersion.negotiation_id == negotiation_id)
        .order_by(DraftVersion.number.desc())
        .limit(1)
    ).one()


def version_of(session: Session, negotiation_id: str, number: int) -> DraftVersion:
    """One version. Raises NotFound."""
    found = session.get(DraftVersion, (negotiation_id, number))
    if found is None:
        raise NotFound(f"draft {negotiation_id} has no version {number}")
    return found


def summaries(session: Session, rows: Sequence[Negotiation]) -> list[dict[str, Any]]:
    """Drafts, each on one line of a list."""
    if not rows:
        return []
    ids = [row.id for row in rows]
    last = (
        sa.select(DraftVersion.negotiation_id, sa.func.max(DraftVersion.number).label("number"))
        .where(DraftVersion.negotiation_id.in_(ids))
        .group_by(DraftVersion.negotiation_id)
        .subquery()
    )
    query = sa.select(
        DraftVersion.negotiation_id,
        DraftVersion.number,
        DraftVersion.proposal,
        DraftVersion.open_items,
    ).join(
        last,
        sa.and_(
            DraftVersion.negotiation_id == last.c.negotiation_id,
            DraftVersion.number == last.c.number,
        ),
    )
    latest = {found.negotiation_id: found for found in session.execute(query)}
    return [_summary(row, latest[row.id]) for row in rows]


def _summary(row: Negotiation, latest: Any) -> dict[str, Any]:
    """A draft on one line of a list.

    Args:
        row: the draft.
        latest: of its last version: `number`, `proposal`, `open_items`.
    """
    return {
        "id": row.id,
        "title": row.title,
        "state": row.state,
        "amends": row.amends,
        "version": latest.number,
        "template": latest.proposal["template"],
        "parties": latest.proposal["parties"],
        "open_items": latest.open_items,
        "offered": row.offered_hash,
        "started_by": row.started_by,
        "created_s": row.created_s,
        "updated_s": row.updated_s,
    }


def show_negotiation(session: Session, row: Negotiation) -> dict[str, Any]:
    """A draft: the last version in full, all versions in short, comments, invitations."""
    latest = last_version(session, row.id)
    versions = session.scalars(
        sa.select(DraftVersion)
        .where(DraftVersion.negotiation_id == row.id)
        .order_by(DraftVersion.number)
    ).all()
    comments = session.scalars(
        sa.select(Comment).where(Comment.negotiation_id == row.id).order_by(Comment.id)
    )
    invitations = session.scalars(
        sa.select(Invitation)
        .where(Invitation.negotiation_id == row.id)
        .order_by(Invitation.created_s, Invitation.id)
    )
    names = _names(versions)
    return _summary(row, latest) | {
        "document": latest.document,
        "document_sha256": latest.document_sha256,
        "proposal": latest.proposal,
        "versions": [
            {
                "version": each.number,
                "author": each.author,
                "organization": names.get(each.author),
                "note": each.note,
                "document_sha256": each.document_sha256,
                "open_items": each.open_items,
                "created_s": each.created_s,
            }
            for each in versions
        ],
        "comments": [
            {
                "version": each.version,
                "author": each.author,
                "organization": names.get(each.author),
                "text": each.text,
                "created_s": each.created_s,
            }
            for each in comments
        ],
        "invitations": [
            {
                "id": each.id,
                "organization": each.organization,
                "created_s": each.created_s,
                "expires_s": each.expires_s,
                "revoked_s": each.revoked_s,
                "used_by": each.used_by,
                "used_s": each.used_s,
            }
            for each in invitations
        ],
    }


def _names(versions: Any) -> dict[str, str]:
    """Organizations by wallet, as the latest version that knows the wallet has it."""
    return {
        party["wallet"]: party["organization"]
        for version in versions
        for party in version.proposal["parties"]
        if party["wallet"]
    }
