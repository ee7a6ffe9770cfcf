"""Whom this marketplace works for: agreements of an admin, and of organizations admins admitted.

Anybody may draft and sign here. Posting costs gas, though, a first activation claims names, and
certificates are issued by name: so these are for agreements that an admin drafted or began to
negotiate, or all of whose parties an admin admitted. Others post by themselves, with their own
wallet: the contracts ask for nobody's leave. Where the policy is open, everybody is admitted.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from marketplace.access import Caller, visible
from marketplace.errors import Conflict, NotAllowed, NotFound
from marketplace.storage.models import Admission, AdmittedAgreement, Agreement, Party
from marketplace.storage.pieces import ALL, By, Piece, cut


@dataclass(frozen=True, slots=True)
class Admissions:
    """Functions that run in a transaction; see `storage.database`.

    Attributes:
        admits_all: the open policy.
        admins: addresses.
    """

    admits_all: bool
    admins: frozenset[str]

    def consider(self, session: Session, agreement: Agreement, begun_by: str, now_s: int) -> bool:
        """Admits an agreement if somebody vouches for it; gives whether it is admitted.

        Args:
            session: of a transaction that writes.
            agreement: with its parties.
            begun_by: the wallet that drafted it or began its negotiation.
            now_s: the time.
        """
        if is_admitted(session, agreement.id):
            return True
        if not (self.admits_all or begun_by in self.admins or _all_admitted(session, agreement)):
            return False
        session.add(
            AdmittedAgreement(agreement_id=agreement.id, admitted_by=begun_by, created_s=now_s)
        )
        session.flush()
        return True

    def admit(
        self, session: Session, caller: Caller, organization: str, wallet: str, now_s: int
    ) -> dict[str, Any]:
        """Vouches for an organization, and so for agreements among such alone.

        Raises:
            NotAllowed: the caller is no admin.
            Conflict: the name is another wallet's, or the wallet has another name.
        """
        _must_be_admin(caller)
        for known in session.scalars(
            sa.select(Admission).where(
                sa.or_(Admission.organization == organization, Admission.wallet == wallet)
            )
        ):
            if (known.organization, known.wallet) == (organization, wallet):
                return _view(known)
            raise Conflict(
                f"{known.organization} is admitted with {known.wallet}",
                hint=f"swarm-market admission revoke {known.organization}",
            )
        row = Admission(
            organization=organization,
            wallet=wallet,
            admitted_by=caller.signed_in,
            created_s=now_s,
        )
        session.add(row)
        session.flush()
        theirs = sa.select(Party.agreement_id).where(Party.wallet == wallet)
        for agreement in session.scalars(sa.select(Agreement).where(Agreement.id.in_(theirs))):
            self.consider(session, agreement, agreement.drafted_by, now_s)
        return _view(row)

    def dismiss(self, session: Session, caller: Caller, organization: str) -> None:
        """Vouches no more; agreements that were admitted stay so.

        Raises:
            NotAllowed: the caller is no admin.
            NotFound: it was not admitted.
        """
        _must_be_admin(caller)
        row = session.get(Admission, organization)
        if row is None:
            raise NotFound(f"{organization} is not admitted")
        session.delete(row)

    def list(self, session: Session, caller: Caller, piece: Piece = ALL) -> list[dict[str, Any]]:
        """The admitted organizations by name; places are (`organization`,).

        Admins and the marketplace's auditors see them all, others those that they, or whom they
        audit, have agreements with.

        Raises:
            SignInRequired: a visitor.
            InvalidInput: the piece's place is none.
        """
        _ = caller.signed_in
        query = cut(sa.select(Admission), piece, By(Admission.organization))
        if not (caller.is_admin or caller.is_auditor):
            partners = sa.select(Party.wallet).where(visible(caller, Party.agreement_id))
            query = query.where(
                sa.or_(Admission.wallet.in_(partners), Admission.wallet.in_(caller.wallets))
            )
        return [_view(each) for each in session.scalars(query)]


def is_admitted(session: Session, agreement_id: str) -> bool:
    return session.get(AdmittedAgreement, agreement_id) is not None


def must_be_admitted(session: Session, agreement_id: str) -> None:
    """Refuses to spend gas or names on an agreement that nobody vouches for.

    Raises:
        NotAllowed: nobody does; says what can be done.
    """
    if not is_admitted(session, agreement_id):
        raise NotAllowed(
            "this marketplace posts for agreements that an admin drafted or began, or whose "
            "organizations an admin admitted; this one is neither",
            hint="ask an admin of this marketplace to admit your organizations (swarm-market "
            "admission grant), or post it with your own wallet: swarm-market agreement post "
            f"{agreement_id[:12]} --wallet wallet.json",
        )


def _all_admitted(session: Session, agreement: Agreement) -> bool:
    known = set(session.execute(sa.select(Admission.organization, Admission.wallet)).tuples())
    return all((each.organization, each.wallet) in known for each in agreement.parties)


def _must_be_admin(caller: Caller) -> None:
    if not caller.is_admin:
        raise NotAllowed(
            f"{caller.signed_in} is no admin of this marketplace",
            hint="admins are named in admin_wallets of settings.toml",
        )


def _view(row: Admission) -> dict[str, Any]:
    return {
        "organization": row.organization,
        "wallet": row.wallet,
        "admitted_by": row.admitted_by,
        "created_s": row.created_s,
    }
