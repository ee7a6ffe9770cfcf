"""Floating leases: a node checks a seat out, renews it, and gives it back, or lets it lapse.

How many nodes of an organization may use a feature at the same time is the number of its seats. A
seat is live from its check-out until what was last signed for it can no longer be used: until its
end and its offline grace are over, or its node has said that it gave it up. So whatever crashes
when, there are never more usable leases than seats: an answer that was lost on its way has taken
its seat, and a check-in that was lost keeps it until it lapses.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.orm import Session

from marketplace.errors import Conflict, NotFound, Unavailable
from marketplace.identity.secrets import new_id
from marketplace.leases.signing import Lease as Signed
from marketplace.leases.signing import LeaseSigner
from marketplace.nodes.credentials import must_be_enrolled
from marketplace.storage.models import Enrollment, Lease, SeatLimit

# By how much the clocks of nodes and of this marketplace's processes may differ.
CLOCK_TOLERANCE_S = 300


@dataclass(frozen=True, slots=True)
class Policy:
    """What leases are like here.

    Attributes:
        lifetime_s: of a lease that floats.
        grace_s: how long one may be used after its end, offline.
        seats: that an organization has of a feature for which nothing else was said.
    """

    lifetime_s: int
    grace_s: int
    seats: int


def check_out(
    session: Session,
    signer: LeaseSigner,
    enrollment_id: str,
    features: Collection[str],
    now_s: int,
    policy: Policy,
    *,
    lifetime_s: int | None = None,
    exported_by: str | None = None,
) -> tuple[Lease, str]:
    """Gives a node its seat, or prolongs the one that it has.

    Args:
        signer: signs the lease.
        enrollment_id: whose node it is for.
        features: that it is to cover; one that is live covers what it covered, too.
        now_s: the time.
        policy: for all that is not said.
        lifetime_s: other than the policy's; then there is no grace, as for a file.
        exported_by: the wallet that takes it out as a file.

    Returns:
        The seat, and the signed lease.

    Raises:
        NotAllowed: the node is not enrolled (any more).
        Conflict: all seats of its organization are taken.
        Unavailable: the clock here is behind.
    """
    enrollment = session.get_one(Enrollment, enrollment_id)
    organization = must_be_enrolled(session, enrollment, now_s)
    now_s = _not_before_the_last(session, now_s)
    held = session.scalar(
        sa.select(Lease).where(
            Lease.holder == enrollment_id, Lease.live_until_s > now_s, Lease.ended_s.is_(None)
        )
    )
    wanted = sorted({*features, *(held.features if held else ())})
    for feature in wanted:
        _must_have_room(session, organization, feature, enrollment_id, now_s, policy)
    grace_s = policy.grace_s if lifetime_s is None else 0
    expires_s = now_s + (policy.lifetime_s if lifetime_s is None else lifetime_s)
    if held is None:
        held = Lease(
            id=new_id(),
            holder=enrollment_id,
            spiffe_id=enrollment.spiffe_id,
            organization=organization,
            live_until_s=0,
        )
        session.add(held)
    held.features, held.issued_s, held.expires_s = wanted, now_s, expires_s
    held.exported_by = exported_by
    # What was signed before may outlive what is signed now.
    held.live_until_s = max(held.live_until_s, expires_s + grace_s + CLOCK_TOLERANCE_S)
    session.flush()
    text = signer.sign(
        Signed(
            held.id, organization, held.spiffe_id, tuple(wanted), now_s, expires_s, grace_s=grace_s
        )
    )
    return held, text


def lease_for(
    session: Session,
    signer: LeaseSigner,
    enrollment_id: str,
    features: Collection[str],
    now_s: int,
    policy: Policy,
) -> str:
    """`check_out`, for a node that asks for itself: the signed lease."""
    return check_out(session, signer, enrollment_id, features, now_s, policy)[1]


def check_in(session: Session, enrollment_id: str, lease_id: str, now_s: int) -> None:
    """Takes a node's word that it has deleted its lease. May be repeated.

    Raises:
        NotFound: this node has no such lease.
    """
    lease = session.get(Lease, lease_id)
    if lease is None or lease.holder != enrollment_id:
        raise NotFound(f"this node has no lease {lease_id}")
    if lease.ended_s is None:
        lease.ended_s = now_s
    lease.live_until_s = min(lease.live_until_s, now_s)


def end(lease: Lease, now_s: int) -> None:
    """Has a lease renewed no more; it can be used, and its seat is taken, until it lapses."""
    if lease.ended_s is None:
        lease.ended_s = now_s


def live(session: Session, organization: str, feature: str, now_s: int) -> Sequence[Lease]:
    """The seats of a feature that are taken."""
    rows = session.scalars(
        sa.select(Lease).where(Lease.organization == organization, Lease.live_until_s > now_s)
    )
    return [row for row in rows if feature in row.features]


def seats_of(session: Session, organization: str, feature: str, now_s: int, policy: Policy) -> int:
    """How many seats there are."""
    return seats_by(session.get(SeatLimit, (organization, feature)), now_s, policy)


def seats_by(row: SeatLimit | None, now_s: int, policy: Policy) -> int:
    """How many seats a row says there are; without one, the policy does."""
    if row is None:
        return policy.seats
    return row.count if row.until_s is None or now_s < row.until_s else 0


def _must_have_room(
    session: Session,
    organization: str,
    feature: str,
    holder: str,
    now_s: int,
    policy: Policy,
) -> None:
    seats = seats_of(session, organization, feature, now_s, policy)
    # A node may hold a second one, that was ended and not yet given back: it counts.
    taken = [
        row
        for row in live(session, organization, feature, now_s)
        if row.holder != holder or row.ended_s is not None
    ]
    if len(taken) < seats:
        return
    if not taken:
        raise Conflict(
            f"{organization} has no seats for {feature}",
            hint="ask the marketplace's admin: swarm-market lease seats",
        )
    free_s = min(row.live_until_s for row in taken) - now_s
    raise Conflict(
        f"all {seats} seats of {organization} for {feature} are taken",
        hint=f"the next is free in {free_s} s at the latest; `swarm-node lease return` on a node "
        "that is not needed, or more seats: swarm-market lease seats",
    )


def _not_before_the_last(session: Session, now_s: int) -> int:
    """The time, as far as the leases that were issued allow it.

    Were the clock set back, leases that are over would seem to be live and the other way round.
    """
    last_s = session.scalar(
        sa.select(sa.func.max(Lease.issued_s)).where(
            Lease.ended_s.is_(None), Lease.live_until_s > now_s
        )
    )
    if last_s is None or last_s <= now_s:
        return now_s
    if last_s - now_s > CLOCK_TOLERANCE_S:
        raise Unavailable(
            f"the clock of the marketplace is {last_s - now_s} s behind a lease that it issued",
            hint="its operator sets the clock; if it had been ahead, ends those leases: "
            "swarm-market lease end",
        )
    return last_s
