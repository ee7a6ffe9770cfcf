"""Leases and seats as their organizations see and manage them."""

from __future__ import annotations

from collections import Counter
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from marketplace.access import Caller, must_speak_for
from marketplace.errors import Conflict, NotAllowed, NotFound
from marketplace.leases import service
from marketplace.leases.service import Policy
from marketplace.leases.signing import LeaseSigner
from marketplace.nodes.registry import present
from marketplace.storage.models import Agreement, Enrollment, Event, Lease, Party, SeatLimit
from marketplace.storage.pieces import ALL, By, Piece, cut


def list_leases(
    session: Session, caller: Caller, now_s: int, piece: Piece = ALL
) -> list[dict[str, Any]]:
    """The leases that are live, of the organizations that the caller belongs to, by `id`.

    Raises:
        InvalidInput: the piece's place is none.
    """
    query = sa.select(Lease).where(Lease.live_until_s > now_s, _mine(caller))
    return [view(row, now_s) for row in session.scalars(cut(query, piece, By(Lease.id)))]


def export(
    session: Session,
    caller: Caller,
    signer: LeaseSigner,
    spiffe_id: str,
    features: list[str],
    lifetime_s: int,
    now_s: int,
    policy: Policy,
) -> dict[str, Any]:
    """Checks a seat out for a node that does not reach the marketplace; gives the lease's text.

    Raises:
        NotFound: the caller sees no such node, or it is not enrolled.
        NotAllowed: the caller is neither its owner nor its operator.
        Conflict: see `service.check_out`.
    """
    enrollment = _enrolled(session, caller, spiffe_id)
    held, text = service.check_out(
        session,
        signer,
        enrollment.id,
        features,
        now_s,
        policy,
        lifetime_s=lifetime_s,
        exported_by=caller.signed_in,
    )
    return view(held, now_s) | {"lease": text, "lease_public_key": signer.public_key}


def end(session: Session, caller: Caller, lease_id: str, now_s: int) -> dict[str, Any]:
    """Has a lease renewed no more.

    Raises:
        NotFound: the caller sees no such lease.
        NotAllowed: the caller is neither its owner nor its operator.
    """
    row = session.scalar(sa.select(Lease).where(Lease.id == lease_id, _mine(caller)))
    if row is None:
        raise NotFound(f"no lease {lease_id}")
    enrollment = session.get_one(Enrollment, row.holder)
    must_speak_for(caller, _party(session, enrollment), operators=True)
    service.end(row, now_s)
    return view(row, now_s)


def list_seats(
    session: Session, caller: Caller, now_s: int, policy: Policy
) -> list[dict[str, Any]]:
    """SeatLimit, and how many are taken, of the organizations that the caller belongs to."""
    active = sa.select(Event.agreement_id).where(Event.kind == "AgreementActivated")
    organizations = set(
        session.scalars(
            sa.select(Party.organization).where(Party.agreement_id.in_(active), _of(caller))
        )
    )
    known = {
        (row.organization, row.feature): row
        for row in session.scalars(
            sa.select(SeatLimit).where(SeatLimit.organization.in_(organizations))
        )
    }
    live = sa.select(Lease.organization, Lease.features).where(
        Lease.organization.in_(organizations), Lease.live_until_s > now_s
    )
    taken = Counter(
        (organization, feature)
        for organization, features in session.execute(live)
        for feature in features
    )
    pairs = known.keys() | {(each, "training") for each in organizations}
    return [
        {
            "organization": organization,
            "feature": feature,
            "seats": service.seats_by(known.get((organization, feature)), now_s, policy),
            "taken": taken[organization, feature],
            "until_s": _until(known.get((organization, feature))),
        }
        for organization, feature in sorted(pairs)
    ]


def set_seats(
    session: Session,
    caller: Caller,
    organization: str,
    feature: str,
    count: int,
    until_s: int | None,
    now_s: int,
) -> dict[str, Any]:
    """Says how many seats an organization has. Leases that are live stay until they lapse.

    Raises:
        NotAllowed: the caller is no admin.
        Conflict: the end lies in the past.
    """
    if not caller.is_admin:
        raise NotAllowed(
            "only an admin of the marketplace says how many seats there are",
            hint="ask one; your seats: swarm-market lease seats",
        )
    if until_s is not None and until_s <= now_s:
        raise Conflict("the seats would be over already", hint="0 seats take them away at once")
    row = session.get(SeatLimit, (organization, feature))
    if row is None:
        row = SeatLimit(organization=organization, feature=feature)
        session.add(row)
    row.count, row.until_s = count, until_s
    row.set_by, row.set_s = caller.signed_in, now_s
    return {
        "organization": organization,
        "feature": feature,
        "seats": count,
        "taken": len(service.live(session, organization, feature, now_s)),
        "until_s": until_s,
    }


def view(row: Lease, now_s: int) -> dict[str, Any]:
    """A lease as the API shows it; its text is told to those only who take it."""
    return {
        "id": row.id,
        "organization": row.organization,
        "spiffe_id": row.spiffe_id,
        "features": list(row.features),
        "issued_s": row.issued_s,
        "expires_s": row.expires_s,
        "live_until_s": row.live_until_s,
        "exported_by": row.exported_by,
        "ended_s": row.ended_s,
        "expired": row.expires_s <= now_s,
    }


def _mine(caller: Caller) -> sa.ColumnElement[bool]:
    """Leases of the caller's organizations; other parties' are none of his business."""
    holders = (
        sa.select(Enrollment.id)
        .join(
            Party,
            sa.and_(
                Party.agreement_id == Enrollment.agreement_id, Party.number == Enrollment.party
            ),
        )
        .where(_of(caller))
    )
    return Lease.holder.in_(holders)


def _of(caller: Caller) -> sa.ColumnElement[bool]:
    if caller.is_admin or caller.is_auditor:
        return sa.true()
    return Party.wallet.in_(caller.wallets)


def _party(session: Session, enrollment: Enrollment) -> Party:
    return session.get_one(Agreement, enrollment.agreement_id).parties[enrollment.party]


def _enrolled(session: Session, caller: Caller, spiffe_id: str) -> Enrollment:
    rows = session.scalars(
        sa.select(Enrollment)
        .where(Enrollment.spiffe_id == spiffe_id)
        .order_by(Enrollment.created_s.desc(), Enrollment.id)
    ).all()
    for row in rows:
        if _party(session, row).wallet not in caller.wallets and not caller.is_admin:
            continue
        must_speak_for(caller, _party(session, row), operators=True)
        enrolled = present(session, row.agreement_id).get(spiffe_id)
        if enrolled is not None and enrolled.key == row.key:
            return row
    raise NotFound(
        f"no node {spiffe_id} of yours is enrolled", hint="names: swarm-market node list"
    )


def _until(row: SeatLimit | None) -> int | None:
    return None if row is None else row.until_s
