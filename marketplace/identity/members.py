"""Who may act, or look, for an organization: its wallet says so.

An operator runs its nodes: enrollment tokens, leases. An auditor sees what the wallet sees, and
changes nothing. Neither signs anything for it: what binds it is signed by the wallet itself.
"""

from __future__ import annotations

from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.orm import Session

from marketplace.errors import InvalidInput, NotFound
from marketplace.storage.models import Member
from marketplace.storage.pieces import ALL, By, Piece, cut

OPERATOR: Final = "operator"
AUDITOR: Final = "auditor"


def roles_of(session: Session, wallet: str) -> tuple[frozenset[str], frozenset[str]]:
    """The wallets that somebody operates for, and those that he audits for."""
    rows = session.execute(
        sa.select(Member.owner, Member.role).where(Member.wallet == wallet)
    ).all()
    return (
        frozenset(row.owner for row in rows if row.role == OPERATOR),
        frozenset(row.owner for row in rows if row.role == AUDITOR),
    )


def appoint(session: Session, owner: str, wallet: str, role: str, now_s: int) -> dict[str, Any]:
    """Gives somebody a role, in place of the one he has.

    Raises:
        InvalidInput: it is the owner himself.
    """
    if wallet == owner:
        raise InvalidInput("this is your own wallet", hint="name another one; you may do all")
    row = session.get(Member, (owner, wallet))
    if row is None:
        row = Member(owner=owner, wallet=wallet, role=role, created_s=now_s)
        session.add(row)
    elif row.role != role:
        row.role, row.created_s = role, now_s
    return view(row)


def dismiss(session: Session, owner: str, wallet: str) -> None:
    """Takes a role away.

    Raises:
        NotFound: he has none.
    """
    row = session.get(Member, (owner, wallet))
    if row is None:
        raise NotFound(f"{wallet} has no role with you", hint="swarm-market org members")
    session.delete(row)


def list_members(session: Session, owner: str, piece: Piece = ALL) -> list[dict[str, Any]]:
    """Whom a wallet gave roles, by address.

    Raises:
        InvalidInput: the piece's place is none.
    """
    query = sa.select(Member).where(Member.owner == owner)
    return [view(row) for row in session.scalars(cut(query, piece, By(Member.wallet)))]


def view(row: Member) -> dict[str, Any]:
    """A role as the API shows it."""
    return {"owner": row.owner, "wallet": row.wallet, "role": row.role, "since_s": row.created_s}
