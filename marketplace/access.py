"""Who is asking, and what that lets him see. Every object query goes through here."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.orm import InstrumentedAttribute, Session
from sqlalchemy.orm.interfaces import ORMOption

from marketplace.errors import NotAllowed, NotFound, SignInRequired
from marketplace.storage.models import Agreement, Party


@dataclass(frozen=True, slots=True)
class Caller:
    """Somebody who looks at the marketplace.

    Attributes:
        wallet: the address that signed in; None for a visitor.
        is_admin: sees everything, may draft for others.
        sees_all: may read whatever the pages show: an auditor of the marketplace, or anybody at
            a public dashboard.
        is_auditor: an auditor of the marketplace: sees what admins see.
        operates_for: wallets of organizations whose nodes the caller runs.
        audits_for: wallets of organizations whose eyes the caller is; empty in a request that
            changes something.
        program: id of the token by which a program acts for the wallet; empty for a person.
    """

    wallet: str | None
    is_admin: bool = False
    sees_all: bool = False
    is_auditor: bool = False
    operates_for: frozenset[str] = frozenset()
    audits_for: frozenset[str] = frozenset()
    program: str = ""

    @property
    def signed_in(self) -> str:
        """The wallet address.

        Raises:
            SignInRequired: a visitor.
        """
        if self.wallet is None:
            raise SignInRequired("sign in first", hint="swarm-market sign-in, or the sign-in page")
        return self.wallet

    @property
    def wallets(self) -> frozenset[str]:
        """The wallets whose agreements the caller sees.

        Raises:
            SignInRequired: a visitor.
        """
        return frozenset({self.signed_in}) | self.operates_for | self.audits_for

    @property
    def role(self) -> str:
        """admin, auditor, operator, owner or visitor: what a page greets the caller as."""
        if self.wallet is None:
            return "visitor"
        if self.is_admin:
            return "admin"
        if self.audits_for or self.is_auditor:
            return "auditor"
        return "operator" if self.operates_for else "owner"


def visible(
    caller: Caller, agreement_id: InstrumentedAttribute[str] | InstrumentedAttribute[str | None]
) -> sa.ColumnElement[bool]:
    """The condition under which the caller may see a row that belongs to an agreement.

    Raises:
        SignInRequired: a visitor, who may see nothing.
    """
    if caller.is_admin or caller.sees_all:
        return sa.true()
    mine = sa.select(Party.agreement_id).where(Party.wallet.in_(caller.wallets))
    return agreement_id.in_(mine)


def agreement_seen(
    session: Session, caller: Caller, agreement_id: str, *options: ORMOption
) -> Agreement:
    """An agreement that the caller may see.

    Raises:
        NotFound: there is none, or it is none of his business.
    """
    query = sa.select(Agreement).where(Agreement.id == agreement_id, visible(caller, Agreement.id))
    found = session.scalar(query.options(*options))
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


def must_speak_for(caller: Caller, party: Party, *, operators: bool = False) -> None:
    """Refuses a caller who is neither the party nor an admin.

    Args:
        caller: who asks.
        party: on whose behalf.
        operators: whether those who run the party's nodes may, too.

    Raises:
        NotAllowed: speaks for another party, or for none.
    """
    speaks = caller.signed_in == party.wallet or caller.is_admin
    if not speaks and not (operators and party.wallet in caller.operates_for):
        raise NotAllowed(f"only the wallet of {party.organization} may do this")
