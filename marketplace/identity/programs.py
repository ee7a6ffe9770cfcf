"""Tokens for people's programs: they act for a wallet, within scopes, until they are revoked.

What moves money or binds an organization is signed by its wallet besides; a token only hands it in.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.orm import Session

from marketplace.errors import InvalidInput, NotFound, SignInRequired
from marketplace.identity.secrets import hash_secret, new_id, new_secret
from marketplace.storage.models import ApiToken
from marketplace.storage.pieces import ALL, By, Piece, cut

# So that a token is known for what it is wherever it turns up, in a log or in a repository.
PREFIX: Final = "swm_"
READ: Final = "read"
ADMIN: Final = "admin"
# What a token may do besides reading, by the first part of the path below /api/. Everything that is
# not here asks for a person who signed in: tokens themselves, sessions, who may act for whom.
SCOPES: Final[dict[str, str]] = {
    "agreements": "agreements",
    "drafts": "agreements",
    "invitations": "agreements",
    "amendments": "governance",
    "motions": "governance",
    "acts": "governance",
    "admissions": "governance",
    "enrollment-tokens": "nodes",
    "enrollments": "nodes",
    "nodes": "nodes",
    "leases": "leases",
    "seats": "leases",
    "runs": "runs",
    "claims": "claims",
    "webhooks": "webhooks",
}
ALL_SCOPES: Final = (READ, *sorted(set(SCOPES.values())), ADMIN)
_DAY_S: Final = 86_400


@dataclass(frozen=True, slots=True)
class Program:
    """Whom a token acts for, and within what."""

    id: str
    wallet: str
    scopes: frozenset[str]


def create(
    session: Session, wallet: str, name: str, scopes: Sequence[str], days: int, now_s: int
) -> dict[str, Any]:
    """Makes a token; its text, in `token`, is shown this once.

    Raises:
        InvalidInput: a scope that there is not.
    """
    if strays := sorted(set(scopes) - set(ALL_SCOPES)):
        raise InvalidInput(f"no scope {strays[0]}", hint="scopes: " + ", ".join(ALL_SCOPES))
    secret = PREFIX + new_secret()
    row = ApiToken(
        id=new_id(),
        secret_hash=hash_secret(secret),
        wallet=wallet,
        name=name,
        scopes=sorted(set(scopes)),
        created_s=now_s,
        expires_s=now_s + days * _DAY_S,
    )
    session.add(row)
    return view(row) | {"token": secret}


def who(session: Session, token: str, now_s: int) -> Program:
    """The program behind a token.

    Raises:
        SignInRequired: there is none, it was revoked, or it is over.
    """
    row = session.scalar(sa.select(ApiToken).where(ApiToken.secret_hash == hash_secret(token)))
    if row is None or row.revoked_s is not None or row.expires_s <= now_s:
        raise SignInRequired(
            "this token is unknown, revoked or over", hint="make a new one: swarm-market token new"
        )
    return Program(row.id, row.wallet, frozenset(row.scopes))


def list_tokens(session: Session, wallet: str, piece: Piece = ALL) -> list[dict[str, Any]]:
    """A wallet's tokens, newest first; their place is (`created_s`, `id`).

    Raises:
        InvalidInput: the piece's place is none.
    """
    query = sa.select(ApiToken).where(ApiToken.wallet == wallet)
    rows = session.scalars(cut(query, piece, By(ApiToken.created_s, falling=True), By(ApiToken.id)))
    return [view(row) for row in rows]


def revoke(session: Session, wallet: str, token_id: str, now_s: int) -> dict[str, Any]:
    """Ends a token; one that was revoked before stays so.

    Raises:
        NotFound: the wallet has no such token.
    """
    row = session.get(ApiToken, token_id)
    if row is None or row.wallet != wallet:
        raise NotFound(f"you have no token {token_id}", hint="swarm-market token list")
    row.revoked_s = row.revoked_s or now_s
    return view(row)


def view(row: ApiToken) -> dict[str, Any]:
    """A token as the API shows it."""
    return {
        "id": row.id,
        "name": row.name,
        "scopes": list(row.scopes),
        "created_s": row.created_s,
        "expires_s": row.expires_s,
        "revoked_s": row.revoked_s,
    }
