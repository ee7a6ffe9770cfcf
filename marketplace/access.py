"""Who is asking, and what that lets him see. Every object query goes through here."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.orm import InstrumentedAttribute, Session

from marketplace.errors import NotAllowed, NotFound, SignInRequired
from marketplace.storage.models import Agreement, Party


@dataclass(frozen=True, slots=True)
class Caller:
    """Somebody who looks at the marketplace.

    Attributes:
        wallet: the address that signed in; None for a visitor.
        is_admin: sees everything, may draft for others.
        sees_all: may read everything without being anybody (a public dashboard).
    """

    wallet: str | None
    is_admin: bool = False
    sees_all: bool = False

    @property
    def signed_in(self) -> str:
        """The wallet address.

        Raises:
            SignInRequired: a visitor.
        """
        if self.wallet is None:
            raise SignInRequired("sign in first", hint="swarm-market sign-in, or the sign-in page")
        return self.wallet


def visible(
    caller: Caller, agreement_id: InstrumentedAttribute[str] | InstrumentedAttribute[str | None]
) -> sa.ColumnElement[bool]:
    """The condition under which the caller may see a row that belongs to an agreement.

    Raises:
        SignInRequired: a visitor, who may see nothing.
    """
    if caller.is_admin or caller.sees_all:
        return sa.true()
    mine = sa.select(Party.agreement_id).where(Party.wallet == caller.signed_in)
    return agreement_id.in_(mine)


def agreement_seen(session: Session, caller: Caller, agreement_id: str) -> Agreement:
    """An agreement that the caller may see.

    Raises:
        NotFound: there is none, or it is none of his business.
    """
    found = session.scalar(
        sa.select(Agreement).where(Agreement.id == agreement_id, visible(caller, Agreement.id))
    )
    if found is None:
        raise NotFound(f"you take part in no agreement {agreement_id}")
    return found


def party_of(agreement: Agreement, matches: Callable[[Party], bool], who: str) -> Party:
    """The party of an agreement that fits.

    Raises:
        NotFound: none does.
    """
    found = next(filter(matches, agreement.parties), None)
    if found is None:
        names = ", ".join(party.organization for party in agreement.parties)
        raise NotFound(f"{who} is no party of agreement {agreement.id}", hint=f"parties: {names}")
    return found


def must_speak_for(caller: Caller, party: Party) -> None:
    """Refuses a caller who is neither the party nor an admin.

    Raises:
        NotAllowed: speaks for another party, or for none.
    """
    if not caller.is_admin and caller.signed_in != party.wallet:
        raise NotAllowed(f"only the wallet of {party.organization} may do this")
