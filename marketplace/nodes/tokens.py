"""Enrollment tokens: the right to enroll one node once, handed to its operator."""

from __future__ import annotations

from typing import Any

from sqlalchemy.orm import Session

from marketplace.access import Caller, agreement_seen, must_speak_for, party_of
from marketplace.agreements.admission import must_be_admitted
from marketplace.agreements.names import must_own_name
from marketplace.errors import Conflict, NotAllowed
from marketplace.identity.secrets import hash_secret, new_secret
from marketplace.storage.models import Agreement, EnrollmentToken, Party


def spiffe_id(agreement: Agreement, party: Party, node: str) -> str:
    """The one name that a node of a party can have."""
    domain = agreement.message["trust_domain"]
    return f"spiffe://{domain}/org/{party.organization}/node/{node}"


def create(
    session: Session,
    caller: Caller,
    agreement_id: str,
    organization: str,
    node: str,
    trust_domain: str,
    now_s: int,
    lifetime_s: int,
) -> dict[str, Any]:
    """Makes a token for one node of one organization.

    Args:
        trust_domain: of the certificate authority that will issue the node's SVID.

    Returns:
        `secret` (shown this once), `expires_s`, `spiffe_id`.

    Raises:
        NotAllowed: the caller speaks neither for the organization nor as an admin.
        Conflict: the agreement's nodes get their SVIDs from another trust domain, or the
            organization's name belongs to another wallet.
    """
    agreement = agreement_seen(session, caller, agreement_id)
    party = party_of(agreement, lambda each: each.organization == organization, organization)
    must_speak_for(caller, party, operators=True)
    must_be_admitted(session, agreement_id)
    must_own_name(session, party.organization, party.wallet)
    if agreement.message["trust_domain"] != trust_domain:
        raise Conflict(
            f"nodes of this agreement belong to {agreement.message['trust_domain']}, "
            f"this marketplace issues SVIDs for {trust_domain}",
            hint="draft the agreement for this marketplace's trust domain",
        )
    secret = new_secret()
    session.add(
        EnrollmentToken(
            secret_hash=hash_secret(secret),
            agreement_id=agreement.id,
            party=party.number,
            node=node,
            created_by=caller.signed_in,
            created_s=now_s,
            expires_s=now_s + lifetime_s,
        )
    )
    return {
        "secret": secret,
        "expires_s": now_s + lifetime_s,
        "spiffe_id": spiffe_id(agreement, party, node),
    }


def find(session: Session, secret: str) -> EnrollmentToken:
    """The token behind a secret, spent or not.

    Raises:
        NotAllowed: there is none.
    """
    token = session.get(EnrollmentToken, hash_secret(secret))
    if token is None:
        raise NotAllowed(
            "this enrollment token is unknown here",
            hint="ask your organization for a new one: swarm-market node token",
        )
    return token
