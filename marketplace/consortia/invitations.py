"""Invitations: a link that lets a partner read a draft, and take his seat once.

The secret in the link is shown once; what is kept is its hash. Reading spends nothing; the seat is
taken by signing in with the wallet that is to be the party's.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from marketplace.access import Caller
from marketplace.consortia.negotiations import Negotiations
from marketplace.consortia.views import last_version, negotiated, show_negotiation
from marketplace.errors import Conflict, NotFound
from marketplace.identity.secrets import hash_secret, new_id, new_secret
from marketplace.storage.models import Invitation, Negotiation

_HOUR_S = 3_600


@dataclass(frozen=True, slots=True)
class Invitations:
    """Functions that run in a transaction; see `storage.database`."""

    negotiations: Negotiations
    lifetime_hours: int

    def create(
        self, session: Session, caller: Caller, negotiation_id: str, organization: str, now_s: int
    ) -> dict[str, Any]:
        """Makes an invitation for one party; an earlier one for it is good no longer.

        Returns:
            `id`, `secret` (shown this once), `organization`, `expires_s`.

        Raises:
            NotFound: no such draft that the caller may see, or it has no such party.
            NotAllowed: the caller takes no part in it.
            Conflict: that party has named its wallet already.
        """
        row = negotiated(session, caller, negotiation_id, lock=True)
        if row.state == "withdrawn":
            raise Conflict("this draft was withdrawn", hint="begin a new one")
        parties = last_version(session, row.id).proposal["parties"]
        party = next((each for each in parties if each["organization"] == organization), None)
        if party is None:
            names = ", ".join(each["organization"] for each in parties)
            raise NotFound(f"{organization} is no party of this draft", hint=f"parties: {names}")
        if party["wallet"]:
            raise Conflict(f"{organization} has named its wallet already, {party['wallet']}")
        session.execute(
            sa.update(Invitation)
            .where(
                Invitation.negotiation_id == row.id,
                Invitation.organization == organization,
                Invitation.used_s.is_(None),
                Invitation.revoked_s.is_(None),
            )
            .values(revoked_s=now_s)
        )
        secret = new_secret()
        made = Invitation(
            secret_hash=hash_secret(secret),
            id=new_id(),
            negotiation_id=row.id,
            organization=organization,
            created_by=caller.signed_in,
            created_s=now_s,
            expires_s=now_s + self.lifetime_hours * _HOUR_S,
        )
        session.add(made)
        row.updated_s = now_s
        return {
            "id": made.id,
            "secret": secret,
            "organization": organization,
            "expires_s": made.expires_s,
        }

    def revoke(
        self, session: Session, caller: Caller, negotiation_id: str, invitation_id: str, now_s: int
    ) -> dict[str, Any]:
        """Makes an invitation useless.

        Raises:
            NotFound: there is none.
            NotAllowed: the caller takes no part in the draft.
            Conflict: it was used.
        """
        row = negotiated(session, caller, negotiation_id)
        found = session.scalar(
            sa.select(Invitation).where(
                Invitation.id == invitation_id, Invitation.negotiation_id == row.id
            )
        )
        if found is None:
            raise NotFound(f"no invitation {invitation_id}")
        if found.used_s is not None:
            raise Conflict(
                f"{found.organization} has used it already",
                hint="propose a version without that wallet",
            )
        found.revoked_s = found.revoked_s or now_s
        row.updated_s = now_s
        session.flush()
        return show_negotiation(session, row)

    def read(self, session: Session, secret: str, now_s: int) -> dict[str, Any]:
        """What the holder of a link gets to see: the draft's last version.

        Raises:
            NotFound: the link is unknown, over, revoked, or was used.
        """
        found = _good(session, secret, now_s)
        row = session.get_one(Negotiation, found.negotiation_id)
        shown = show_negotiation(session, row)
        kept = ("id", "title", "state", "version", "parties", "open_items", "document")
        return {name: shown[name] for name in (*kept, "document_sha256", "started_by")} | {
            "organization": found.organization,
            "expires_s": found.expires_s,
        }

    def accept(self, session: Session, caller: Caller, secret: str, now_s: int) -> dict[str, Any]:
        """Takes the seat with the caller's wallet. May be repeated by the same wallet.

        Raises:
            NotFound: the link is unknown, over, revoked, or another wallet used it.
            Conflict: the wallet is another party's, or the seat was taken otherwise.
        """
        wallet = caller.signed_in
        known = session.get(Invitation, hash_secret(secret))
        if known is None or known.used_by != wallet:
            known = _good(session, secret, now_s)
            row = session.scalars(
                sa.select(Negotiation)
                .where(Negotiation.id == known.negotiation_id)
                .with_for_update()
            ).one()
            session.refresh(known)
            if known.used_s is not None:
                raise _spent()
            self.negotiations.seat(session, row, known.organization, wallet, now_s)
            known.used_by, known.used_s = wallet, now_s
            session.flush()
        return show_negotiation(session, session.get_one(Negotiation, known.negotiation_id))


def _good(session: Session, secret: str, now_s: int) -> Invitation:
    found = session.get(Invitation, hash_secret(secret))
    if found is None or found.revoked_s is not None or found.used_s is not None:
        raise _spent()
    if found.expires_s <= now_s:
        raise NotFound("this invitation is over", hint="ask who invited you for a new link")
    return found


def _spent() -> NotFound:
    return NotFound(
        "this invitation is unknown, was used, or was taken back",
        hint="if you used it yourself, sign in with that wallet; else ask for a new link",
    )
