"""What an owner does about a node that asked: looks at it, approves it, turns it away.

The node's own two steps come before, see `first_contact`. The owner's wallet signs the same message
as the node's key, and the outbox has it posted.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from contracts import Contracts
from contracts.errors import SignatureError
from contracts.messages import Domain, from_json, recover, typed_data
from contracts.messages import Enrollment as EnrollmentMessage
from marketplace.access import Caller, must_speak_for, visible
from marketplace.agreements.remarks import remark
from marketplace.chain import outbox
from marketplace.chain.postings import NodeEnrollment, kind_of
from marketplace.errors import Conflict, NotAllowed, NotFound, WrongSignature
from marketplace.nodes.numbering import is_stale, state
from marketplace.storage.database import Database
from marketplace.storage.models import Enrollment, Rejection
from marketplace.storage.pieces import ALL, By, Piece, cut

_REASON_CHARACTERS = 500


@dataclass(frozen=True, slots=True)
class Enrollments:
    """An owner's side of enrollments, but for HTTP."""

    database: Database
    contracts: Contracts
    domain: Domain
    clock: Callable[[], int]

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
        owner = row.owner
        self.must_be_signed(row, signature, owner.wallet, f"the wallet of {owner.organization}")
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
                session,
                kind_of(posting),
                posting.effect,
                row.agreement_id,
                posting.payload(),
                now_s,
            )
        return self.view(session, row)

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
        must_speak_for(caller, row.owner)
        if row.operation is not None and row.operation.state != outbox.FAILED:
            raise Conflict(
                f"this enrollment was approved already and is {state(row)}",
                hint=f"swarm-market node retire {row.owner.organization}/{row.message['node']}",
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
        return self.view(session, row)

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
        return [self.view(session, row) for row in rows]

    def view(self, session: Session, row: Enrollment) -> dict[str, Any]:
        """An enrollment as the API shows it."""
        message = from_json(EnrollmentMessage, row.message)
        return {
            "id": row.id,
            "agreement": row.agreement_id,
            "organization": row.owner.organization,
            "wallet": row.owner.wallet,
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

    def must_be_signed(self, row: Enrollment, signature: bytes, expected: str, whose: str) -> None:
        """Refuses a signature under an enrollment that is not that of the address expected.

        Raises:
            WrongSignature: made by another one, or malformed.
        """
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
