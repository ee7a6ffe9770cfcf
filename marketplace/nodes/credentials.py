"""What a node needs to go on: fresh SVIDs, as long as it is entitled to them."""

from __future__ import annotations

from sqlalchemy.orm import Session

from marketplace.errors import NotAllowed
from marketplace.identity.authority import Authority, Issued, requested_key, requested_uris
from marketplace.nodes.registry import present
from marketplace.storage.models import Agreement, Certificate, Enrollment


def renew_svid(
    session: Session,
    authority: Authority,
    enrollment_id: str,
    csr_pem: str,
    now_s: int,
    lifetime_s: int,
) -> Issued:
    """Issues the next SVID to a node that showed the one before.

    Raises:
        NotAllowed: the node is not enrolled (any more), or asks for another name than its own.
        InvalidInput: the request is not fit for an SVID.
    """
    enrollment = session.get_one(Enrollment, enrollment_id)
    must_be_enrolled(session, enrollment, now_s)
    spiffe_id = enrollment.spiffe_id
    requested_key(csr_pem)
    if strays := [uri for uri in requested_uris(csr_pem) if uri != spiffe_id]:
        raise NotAllowed(
            f"{spiffe_id} cannot have a certificate for {strays[0]}",
            hint="each node renews its own SVID",
        )
    issued = authority.issue_svid(csr_pem, spiffe_id, now_s, lifetime_s)
    record_certificate(session, issued, enrollment)
    return issued


def holder_of(session: Session, serial: str) -> str:
    """The id of the enrollment under which a certificate was issued.

    A name may pass from one machine to another, by a new enrollment: so a certificate stands for
    the enrollment that brought it, not for whoever has the same name now.

    Raises:
        NotAllowed: no node's certificate has that number.
    """
    issued = session.get(Certificate, serial)
    if issued is None:
        raise NotAllowed("the holder of this certificate is not enrolled here")
    return issued.enrollment_id


def must_be_enrolled(session: Session, row: Enrollment, now_s: int) -> str:
    """The organization of a node that is enrolled, or about to be, in an agreement that lasts.

    Raises:
        NotAllowed: it is retired or replaced, was never approved in time, or the agreement is over.
    """
    agreement = session.get_one(Agreement, row.agreement_id)
    posting = row.operation is None or row.operation.state in ("queued", "sent")
    waiting = posting and row.rejection is None
    enrolled = present(session, row.agreement_id).get(row.spiffe_id)
    if now_s <= agreement.message["not_after"] and (
        (waiting and now_s < row.message["deadline"])
        or (enrolled is not None and enrolled.key == row.key)
    ):
        return agreement.parties[row.party].organization
    raise NotAllowed(
        f"{row.spiffe_id} is not enrolled",
        hint="it was retired or replaced, or its owner rejected it or did not approve it in time",
    )


def record_certificate(session: Session, issued: Issued, enrollment: Enrollment) -> None:
    """Keeps a record of what was issued to whom."""
    session.add(
        Certificate(
            serial=issued.serial,
            spiffe_id=issued.spiffe_id,
            spki_hash=issued.spki_hash,
            enrollment_id=enrollment.id,
            issued_s=issued.issued_s,
            expires_s=issued.expires_s,
        )
    )
