"""A node's first contact, in two steps.

Step one exchanges a token and a certificate request for an SVID, a lease, and the Enrollment
message; step two brings the node key's signature under it. Then its owner approves it, see
`enrollment`. Step one may be repeated with the same key and request: a node that crashed in between
gets the same answer, anybody else gets none.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from contracts.messages import Enrollment as EnrollmentMessage
from contracts.messages import to_json
from marketplace.agreements.names import must_own_name
from marketplace.agreements.standing import is_active
from marketplace.errors import Conflict, NotAllowed, NotFound
from marketplace.identity.authority import Authority, Issued
from marketplace.identity.secrets import new_id
from marketplace.nodes import tokens
from marketplace.nodes.credentials import must_be_enrolled, record_certificate
from marketplace.nodes.enrollment import Enrollments, rejected
from marketplace.nodes.numbering import is_stale, next_nonce, refuse_used_key
from marketplace.storage.models import Agreement, Enrollment, EnrollmentToken

# How long the owner has to approve before the node has to ask again.
APPROVAL_S = 7 * 86_400


@dataclass(frozen=True, slots=True)
class Request:
    """What a node asks for in step one."""

    secret: str
    csr_pem: str
    key: str
    url: str
    may_lead: bool

    @property
    def csr_hash(self) -> str:
        return hashlib.sha256(self.csr_pem.strip().encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class FirstContacts:
    """A node's side of enrollments, but for HTTP."""

    enrollments: Enrollments
    authority: Authority
    svid_lifetime_s: int

    async def begin(self, request: Request) -> dict[str, Any]:
        """Step one; see the module's description.

        Raises:
            NotAllowed: the token is unknown, over, or was used with another key or request.
            Conflict: the agreement is not in force, or the key was enrolled before.
            InvalidInput: the certificate request is not fit for an SVID.
        """
        agreement_id, party = await self.enrollments.database.read(_named_by, request.secret)
        nonce = await self.enrollments.contracts.consortium.enrollment_nonce(
            bytes.fromhex(agreement_id[2:]), party
        )
        return await self.enrollments.database.write(
            self._begin, request, nonce, self.enrollments.clock()
        )

    def _begin(self, session: Session, request: Request, nonce: int, now_s: int) -> dict[str, Any]:
        token = tokens.find(session, request.secret)
        known = session.scalar(
            sa.select(Enrollment).where(Enrollment.token_hash == token.secret_hash)
        )
        if known is None:
            known = self._first_use(session, token, request, nonce, now_s)
        elif known.rejection is not None:
            raise rejected(known)
        elif (known.key, known.csr_hash) != (request.key, request.csr_hash):
            raise NotAllowed(
                "this enrollment token was used already, with another key",
                hint="if that was not you, tell your organization; else ask for a new token",
            )
        else:
            self._revise(session, known, request, nonce, now_s)
        if known.svid_expires_s <= now_s:
            must_be_enrolled(session, known, now_s)
            self._store_svid(session, known, request.csr_pem, now_s)
        agreement = session.get_one(Agreement, known.agreement_id)
        organization = agreement.parties[known.party].organization
        return {
            "spiffe_id": known.spiffe_id,
            "svid_pem": known.svid_pem,
            "bundle_pem": self.authority.bundle_pem,
            "agreement": agreement.message,
            "agreement_id": agreement.id,
            "party": known.party,
            "organization": organization,
            "enrollment": {"id": known.id, "message": known.message},
        }

    def _first_use(
        self,
        session: Session,
        token: EnrollmentToken,
        request: Request,
        nonce: int,
        now_s: int,
    ) -> Enrollment:
        if token.expires_s <= now_s:
            raise NotAllowed(
                "this enrollment token is over",
                hint="ask your organization for a new one: swarm-market node token",
            )
        refuse_used_key(session, token.agreement_id, request.key)
        agreement = session.get_one(Agreement, token.agreement_id)
        party = agreement.parties[token.party]
        must_own_name(session, party.organization, party.wallet)
        message = EnrollmentMessage(
            agreement=bytes.fromhex(token.agreement_id[2:]),
            party=token.party,
            node=token.node,
            key=request.key,
            url=request.url,
            may_lead=request.may_lead,
            deadline=now_s + APPROVAL_S,
            nonce=next_nonce(session, token.agreement_id, token.party, nonce, now_s),
        )
        row = Enrollment(
            id=new_id(),
            token_hash=token.secret_hash,
            agreement_id=token.agreement_id,
            party=token.party,
            spiffe_id=tokens.spiffe_id(agreement, party, token.node),
            key=request.key,
            csr_hash=request.csr_hash,
            message=to_json(message),
            created_s=now_s,
        )
        self._store_svid(session, row, request.csr_pem, now_s)
        return row

    def _revise(
        self, session: Session, row: Enrollment, request: Request, nonce: int, now_s: int
    ) -> None:
        """Writes the message anew if it is out of date, or its operator had second thoughts."""
        stale = is_stale(session, row, nonce, now_s)
        wishes = {"url": request.url, "may_lead": request.may_lead}
        changed = row.operation is None and row.message | wishes != row.message
        if not stale and not changed:
            return
        number = next_nonce(session, row.agreement_id, row.party, nonce, now_s)
        row.message = (
            row.message
            | wishes
            | {
                "nonce": number if stale else row.message["nonce"],
                "deadline": now_s + APPROVAL_S,
            }
        )
        row.key_signature = row.wallet_signature = row.operation_id = None
        session.flush()
        session.refresh(row)

    def _store_svid(self, session: Session, row: Enrollment, csr_pem: str, now_s: int) -> None:
        issued: Issued = self.authority.issue_svid(
            csr_pem, row.spiffe_id, now_s, self.svid_lifetime_s
        )
        row.svid_pem, row.svid_expires_s = issued.pem, issued.expires_s
        session.add(row)
        session.flush()
        record_certificate(session, issued, row)

    async def sign_with_key(self, enrollment_id: str, signature: bytes) -> dict[str, Any]:
        """Step two: takes the node key's signature. May be repeated.

        Raises:
            NotFound: no such enrollment.
            WrongSignature: not made by the key that enrolls, or not under this message.
        """
        return await self.enrollments.database.write(self._sign_with_key, enrollment_id, signature)

    def _sign_with_key(
        self, session: Session, enrollment_id: str, signature: bytes
    ) -> dict[str, Any]:
        row = session.get(Enrollment, enrollment_id)
        if row is None:
            raise NotFound(f"no enrollment {enrollment_id}")
        self.enrollments.must_be_signed(row, signature, row.key, "the node's key")
        row.key_signature = "0x" + signature.hex()
        return self.enrollments.view(session, row)


def _named_by(session: Session, secret: str) -> tuple[str, int]:
    token = tokens.find(session, secret)
    if not is_active(session, token.agreement_id):
        raise Conflict(
            "the agreement is not in force yet",
            hint="wait until all have signed; the token stays good meanwhile",
        )
    return token.agreement_id, token.party
