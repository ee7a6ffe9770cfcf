"""What a node needs to go on: fresh SVIDs and leases, as long as it is entitled to them."""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy.orm import Session

from marketplace.errors import NotAllowed
from marketplace.identity.authority import Authority, Issued, requested_key, requested_uris
from marketplace.identity.leases import FEATURES, Lease, LeaseSigner
from marketplace.identity.secrets import new_id
from marketplace.nodes.registry import present
from marketplace.storage.models import Agreement, Certificate, Enrollment
from marketplace.storage.models import Lease as LeaseRow


def renew_svid(
    session: Session,
    authority: Authority,
    spiffe_id: str,
    csr_pem: str,
    now_s: int,
    lifetime_s: int,
) -> Issued:
    """Issues the next SVID to a node that showed the one before.

    Args:
        spiffe_id: whom the certificate of the connection names.

    Raises:
        NotAllowed: the node is not enrolled (any more), or asks for another name than its own.
        InvalidInput: the request is not fit for an SVID.
    """
    must_be_enrolled(session, spiffe_id, now_s)
    requested_key(csr_pem)
    if strays := [uri for uri in requested_uris(csr_pem) if uri != spiffe_id]:
        raise NotAllowed(
            f"{spiffe_id} cannot have a certificate for {strays[0]}",
            hint="each node renews its own SVID",
        )
    issued = authority.issue_svid(csr_pem, spiffe_id, now_s, lifetime_s)
    record_certificate(session, issued)
    return issued


def new_lease(
    session: Session, signer: LeaseSigner, spiffe_id: str, now_s: int, lifetime_s: int
) -> str:
    """Signs a lease for an enrolled node.

    Raises:
        NotAllowed: the node is not enrolled (any more).
    """
    organization = must_be_enrolled(session, spiffe_id, now_s)
    lease = Lease(
        id=new_id(),
        organization=organization,
        node=spiffe_id,
        features=FEATURES,
        issued_s=now_s,
        expires_s=now_s + lifetime_s,
    )
    session.add(
        LeaseRow(
            id=lease.id,
            spiffe_id=spiffe_id,
            organization=organization,
            features=list(lease.features),
            issued_s=lease.issued_s,
            expires_s=lease.expires_s,
        )
    )
    return signer.sign(lease)


def must_be_enrolled(session: Session, spiffe_id: str, now_s: int) -> str:
    """The organization of a node that is enrolled, or about to be, in an agreement that lasts.

    Raises:
        NotAllowed: it is retired, was never approved in time, or the agreement is over.
    """
    rows = session.scalars(sa.select(Enrollment).where(Enrollment.spiffe_id == spiffe_id)).all()
    for row in rows:
        agreement = session.get_one(Agreement, row.agreement_id)
        if agreement.message["not_after"] < now_s:
            continue
        waiting = row.operation is None or row.operation.state in ("queued", "sent")
        if (waiting and now_s < row.message["deadline"]) or spiffe_id in present(
            session, row.agreement_id
        ):
            return agreement.parties[row.party].organization
    raise NotAllowed(
        f"{spiffe_id} is not enrolled",
        hint="it was retired, or its owner did not approve it in time",
    )


def record_certificate(session: Session, issued: Issued) -> None:
    """Keeps a record of what was issued to whom."""
    session.add(
        Certificate(
            serial=issued.serial,
            spiffe_id=issued.spiffe_id,
            spki_hash=issued.spki_hash,
            issued_s=issued.issued_s,
            expires_s=issued.expires_s,
        )
    )
