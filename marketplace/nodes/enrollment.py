"""A node's first contact, in two steps, and its owner's approval.

Step one exchanges a token and a certificate request for an SVID, a lease, and the Enrollment
message; step two brings the node key's signature under it. Then the owner's wallet signs the same
message, and the outbox has it posted. Step one may be repeated with the same key and request: a
node that crashed in between gets the same answer, anybody else gets none.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from contracts import Contracts
from contracts.errors import SignatureError
from contracts.messages import Domain, from_json, recover, to_json, typed_data
from contracts.messages import Enrollment as EnrollmentMessage
from marketplace.access import Caller, must_speak_for, party_of, visible
from marketplace.agreements.names import must_own_name
from marketplace.agreements.remarks import remark
from marketplace.agreements.standing import is_active
from marketplace.chain import outbox
from marketplace.chain.postings import NodeEnrollment, kind_of
from marketplace.errors import Conflict, NotAllowed, NotFound, WrongSignature
from marketplace.identity.authority import Authority, Issued
from marketplace.identity.secrets import new_id
from marketplace.nodes import tokens
from marketplace.nodes.credentials import must_be_enrolled, record_certificate
from marketplace.nodes.numbering import is_stale, next_nonce, refuse_used_key, state
from marketplace.storage.database import Database
from marketplace.storage.models import Agreement, Enrollment, EnrollmentToken, Rejection
from marketplace.storage.pieces import ALL, By, Piece, cut

# How long the owner has to approve before the node has to ask again.
APPROVAL_S = 7 * 86_400
_REASON_CHARACTERS = 500


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
class Enrollments:
    """Everything about enrollments that is not HTTP."""

    database: Database
    contracts: Contracts
    domain: Domain
    authority: Authority
    svid_lifetime_s: int
    clock: Callable[[], int]

    async def begin(self, request: Request) -> dict[str, Any]:
        """Step one; see the module's description.

        Raises:
            NotAllowed: the token is unknown, over, or was used with another key or request.
            Conflict: the agreement is not in force, or the key was enrolled before.
            InvalidInput: the certificate request is not fit for an SVID.
        """
        agreement_id, party = await self.database.read(_named_by, request.secret)
        nonce = await self.contracts.consortium.enrollment_nonce(
            bytes.fromhex(agreement_id[2:]), party
        )
        return await self.database.write(self._begin, request, nonce, self.clock())

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
        return await self.database.write(self._sign_with_key, enrollment_id, signature)

    def _sign_with_key(
        self, session: Session, enrollment_id: str, signature: bytes
    ) -> dict[str, Any]:
        row = session.get(Enrollment, enrollment_id)
        if row is None:
            raise NotFound(f"no enrollment {enrollment_id}")
        self._check(row, signature, row.key, "the node's key")
        row.key_signature = "0x" + signature.hex()
        return self._view(session, row)

    async def approve(self, caller: Caller, enrollment_id: str, signature: bytes) -> dict[str, Any]:
        """Takes the owner's signature and queues the enrollment.

        Raises:
            NotFound: no such enrollment that the caller may see.
            WrongSignature: not made by the wallet of the node's organization.
            Conflict: the node's key has not signed yet, or the message is out of date.
        """
        row_of = self.database.read
        agreement_id, party = await row_of(_place_of, caller, enrollment_id)
        nonce = await self.contracts.consortium.enrollment_nonce(
            bytes.fromhex(agreement_id[2:]), party
        )
        return await self.database.write(
            self._approve, caller, enrollment_id, signature, nonce, self.clock()
        )

    def _approve(
        self,
        session: Session,
        caller: Caller,
        enrollment_id: str,
        signature: bytes,
        nonce: int,
        now_s: int,
    ) -> dict[str, Any]:
        row = _seen(session, caller, enrollment_id)
        if row.rejection is not None:
            raise rejected(row)
        agreement = session.get_one(Agreement, row.agreement_id)
        party = party_of(agreement, lambda each: each.number == row.party, "the node's owner")
        self._check(row, signature, party.wallet, f"the wallet of {party.organization}")
        if row.key_signature is None:
            raise Conflict(
                "the node's own key has not signed yet",
                hint="the operator runs `swarm-node enroll` with the same token once more",
            )
        if row.operation is None or row.operation.state == outbox.FAILED:
            if is_stale(session, row, nonce, now_s):
                raise Conflict(
                    "this enrollment is out of date",
                    hint="the operator runs `swarm-node enroll` with the same token once more",
                )
            row.wallet_signature = "0x" + signature.hex()
            posting = NodeEnrollment(
                from_json(EnrollmentMessage, row.message),
                signature,
                bytes.fromhex(row.key_signature[2:]),
            )
            row.operation = outbox.enqueue(
                session, kind_of(posting), posting.effect, agreement.id, posting.payload(), now_s
            )
        return self._view(session, row)

    def reject(
        self, session: Session, caller: Caller, enrollment_id: str, reason: str, now_s: int
    ) -> dict[str, Any]:
        """Turns a node away: it gets no certificates any more, and holds up nobody behind it.

        Raises:
            NotFound: no such enrollment that the caller may see.
            NotAllowed: the caller speaks for another organization.
            Conflict: it was approved already.
        """
        row = _seen(session, caller, enrollment_id)
        agreement = session.get_one(Agreement, row.agreement_id)
        party = party_of(agreement, lambda each: each.number == row.party, "the node's owner")
        must_speak_for(caller, party)
        if row.operation is not None and row.operation.state != outbox.FAILED:
            raise Conflict(
                f"this enrollment was approved already and is {state(row)}",
                hint=f"swarm-market node retire {party.organization}/{row.message['node']}",
            )
        if row.rejection is None:
            session.add(
                Rejection(
                    enrollment_id=row.id,
                    rejected_by=caller.signed_in,
                    reason=remark(reason, "a reason", _REASON_CHARACTERS),
                    created_s=now_s,
                )
            )
            session.flush()
            session.refresh(row)
            _fail_those_behind(session, row, now_s)
        return self._view(session, row)

    def list(
        self,
        session: Session,
        caller: Caller,
        agreement_id: str | None,
        piece: Piece = ALL,
        *where: sa.ColumnElement[bool],
    ) -> list[dict[str, Any]]:
        """The enrollments that the caller may see, newest first; places are (`created_s`, `id`).

        Raises:
            InvalidInput: the piece's place is none.
        """
        query = sa.select(Enrollment).where(visible(caller, Enrollment.agreement_id), *where)
        if agreement_id is not None:
            query = query.where(Enrollment.agreement_id == agreement_id)
        order = By(Enrollment.created_s, falling=True), By(Enrollment.id)
        rows = session.scalars(cut(query, piece, *order)).all()
        # Held here, or each row would have its agreement read again.
        _held = [session.get_one(Agreement, each) for each in {row.agreement_id for row in rows}]
        return [self._view(session, row) for row in rows]

    def _view(self, session: Session, row: Enrollment) -> dict[str, Any]:
        agreement = session.get_one(Agreement, row.agreement_id)
        message = from_json(EnrollmentMessage, row.message)
        return {
            "id": row.id,
            "agreement": row.agreement_id,
            "organization": agreement.parties[row.party].organization,
            "wallet": agreement.parties[row.party].wallet,
            "node": message.node,
            "spiffe_id": row.spiffe_id,
            "key": row.key,
            "url": message.url,
            "may_lead": message.may_lead,
            "state": state(row),
            "message": row.message,
            "typed_data": typed_data(self.domain, message),
            "operation": outbox.view(row.operation) if row.operation else None,
            "rejected_because": row.rejection.reason if row.rejection else None,
            "created_s": row.created_s,
        }

    def _check(self, row: Enrollment, signature: bytes, expected: str, whose: str) -> None:
        try:
            signer = recover(self.domain, from_json(EnrollmentMessage, row.message), signature)
        except SignatureError as error:
            raise WrongSignature(str(error)) from error
        if signer != expected:
            raise WrongSignature(
                f"this is not a signature of {whose} ({expected}) under this enrollment",
                hint="sign the message as it is shown now; it changes when it is renewed",
            )


def rejected(row: Enrollment) -> NotAllowed:
    """What a node hears that its owner turned away."""
    because = row.rejection.reason if row.rejection else ""
    return NotAllowed(
        f"the owner rejected this enrollment{': ' + because if because else ''}",
        hint="ask your organization for a new token: swarm-market node token",
    )


def _fail_those_behind(session: Session, row: Enrollment, now_s: int) -> None:
    """Approved enrollments with a higher number: without this one their turn never comes."""
    behind = session.scalars(
        sa.select(Enrollment).where(
            Enrollment.agreement_id == row.agreement_id, Enrollment.party == row.party
        )
    )
    for each in behind:
        later = int(each.message["nonce"]) > int(row.message["nonce"])
        if later and each.operation is not None and each.operation.state == outbox.QUEUED:
            outbox.failed(
                session,
                each.operation.id,
                "an enrollment that was numbered before this one was rejected",
                "the operator runs `swarm-node enroll` with the same token once more",
                now_s,
            )


def _named_by(session: Session, secret: str) -> tuple[str, int]:
    token = tokens.find(session, secret)
    if not is_active(session, token.agreement_id):
        raise Conflict(
            "the agreement is not in force yet",
            hint="wait until all have signed; the token stays good meanwhile",
        )
    return token.agreement_id, token.party


def _place_of(session: Session, caller: Caller, enrollment_id: str) -> tuple[str, int]:
    row = _seen(session, caller, enrollment_id)
    return row.agreement_id, row.party


def _seen(session: Session, caller: Caller, enrollment_id: str) -> Enrollment:
    found = session.scalar(
        sa.select(Enrollment).where(
            Enrollment.id == enrollment_id, visible(caller, Enrollment.agreement_id)
        )
    )
    if found is None:
        raise NotFound(f"no enrollment {enrollment_id}")
    return found
