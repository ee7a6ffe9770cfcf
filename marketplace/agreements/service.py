"""Agreements from draft to force: stores drafts, gathers signatures, queues the activation."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from contracts.errors import SignatureError
from contracts.messages import Agreement as AgreementMessage
from contracts.messages import Domain, from_json, recover, struct_hash, to_json, typed_data
from marketplace.access import Caller, agreement_seen, party_of, visible
from marketplace.agreements.admission import Admissions, is_admitted
from marketplace.agreements.document import render
from marketplace.agreements.drafts import Draft
from marketplace.agreements.names import must_own_name
from marketplace.agreements.standing import Standing, is_withdrawn, standings
from marketplace.chain import outbox
from marketplace.chain.postings import Activation, kind_of
from marketplace.errors import Conflict, NotAllowed, WrongSignature
from marketplace.storage.models import WITHOUT_TEXT, Agreement, Operation, Party
from marketplace.storage.pieces import ALL, By, Piece, cut


@dataclass(frozen=True, slots=True)
class Agreements:
    """Functions that run in a transaction; see `storage.database`.

    Attributes:
        domain: of the Consortium contract.
        trust_domain: that drafts get when they name none.
        admissions: whom this marketplace works for.
        clock: unix seconds.
    """

    domain: Domain
    trust_domain: str
    admissions: Admissions
    clock: Callable[[], int]

    def draft(self, session: Session, caller: Caller, draft: Draft, now_s: int) -> dict[str, Any]:
        """Renders and stores a draft; drafting the same twice gives the same agreement.

        Raises:
            NotAllowed: the caller is neither an admin nor a party of the draft.
            InvalidInput: see `Draft.completed`.
            Conflict: an organization's name belongs to another wallet.
        """
        completed = draft.completed(self.trust_domain, now_s)
        wallets = {party.wallet for party in completed.parties}
        if not caller.is_admin and caller.signed_in not in wallets:
            raise NotAllowed(
                "agreements are drafted by their parties or by an admin of the marketplace",
                hint="sign in with the wallet of one of the parties",
            )
        agreement_id = self.offer(session, completed, render(completed), caller.signed_in, now_s)
        return self.show(session, caller, agreement_id)

    def offer(
        self, session: Session, completed: Draft, document: str, begun_by: str, now_s: int
    ) -> str:
        """Stores a completed draft for signature and gives its id.

        Args:
            session: of a transaction that writes.
            completed: nothing is open in it.
            document: its text.
            begun_by: the wallet that drafted it or began its negotiation.
            now_s: the time.

        Raises:
            Conflict: an organization's name belongs to another wallet.
        """
        for party in completed.parties:
            must_own_name(session, party.organization, party.wallet)
        message = completed.message(hashlib.sha256(document.encode()).digest())
        agreement_id = "0x" + struct_hash(message).hex()
        row = session.get(Agreement, agreement_id)
        if row is None:
            row = Agreement(
                id=agreement_id,
                title=completed.title,
                fields=completed.model_dump(),
                document=document,
                message=to_json(message),
                drafted_by=begun_by,
                created_s=now_s,
                parties=[
                    Party(
                        number=number,
                        organization=party.organization,
                        wallet=party.wallet,
                        weight=party.weight,
                    )
                    for number, party in enumerate(completed.parties)
                ],
            )
            session.add(row)
            session.flush()
        self.admissions.consider(session, row, begun_by, now_s)
        return agreement_id

    def sign(
        self,
        session: Session,
        caller: Caller,
        agreement_id: str,
        organization: str,
        signature: bytes,
        now_s: int,
    ) -> dict[str, Any]:
        """Takes a party's signature; the last one queues the activation.

        Whoever holds a party's signature may hand it in: what counts is who made it.

        Raises:
            WrongSignature: it was not made by the wallet of that party, or not for this agreement.
            Conflict: that party has signed already, with another signature, or another version is
                being negotiated.
        """
        agreement = agreement_seen(session, caller, agreement_id)
        if is_withdrawn(session, agreement_id):
            raise Conflict(
                "this version is no longer offered: somebody proposed another one",
                hint="read and sign the version that is offered now",
            )
        party = party_of(agreement, lambda each: each.organization == organization, organization)
        message = from_json(AgreementMessage, agreement.message)
        try:
            signer = recover(self.domain, message, signature)
        except SignatureError as error:
            raise WrongSignature(str(error), hint="sign the agreement's typed_data") from error
        if signer != party.wallet:
            raise WrongSignature(
                f"this is not a signature of {organization} ({party.wallet}) under this agreement",
                hint="sign this agreement's typed_data with exactly that wallet",
            )
        text = "0x" + signature.hex()
        if party.signature not in (None, text):
            raise Conflict(f"{organization} has signed already")
        if party.signature is None:
            party.signature, party.signed_s = text, now_s
            if is_admitted(session, agreement_id):  # else somebody else has to post it
                self._activate_when_complete(session, agreement, message, now_s)
        return self.show(session, caller, agreement_id)

    def activate_again(
        self, session: Session, caller: Caller, agreement_id: str, now_s: int
    ) -> dict[str, Any]:
        """Queues the activation once more after it failed.

        Raises:
            Conflict: signatures are missing, or it is under way or done.
            NotAllowed: nobody vouches for the agreement; see `admission`.
        """
        agreement = agreement_seen(session, caller, agreement_id)
        if missing := [each.organization for each in agreement.parties if not each.signature]:
            raise Conflict(f"not signed yet by {', '.join(missing)}")
        message = from_json(AgreementMessage, agreement.message)
        self._activate_when_complete(session, agreement, message, now_s)
        return self.show(session, caller, agreement_id)

    def show(self, session: Session, caller: Caller, agreement_id: str) -> dict[str, Any]:
        """An agreement with its text, its message and who signed.

        Raises:
            NotFound: there is none that the caller may see.
        """
        agreement = agreement_seen(session, caller, agreement_id)
        message = from_json(AgreementMessage, agreement.message)
        return summary(session, agreement, self.clock()) | {
            "document": agreement.document,
            "fields": agreement.fields,
            "agreement": agreement.message,
            "typed_data": typed_data(self.domain, message),
            "signatures": [each.signature for each in agreement.parties],
        }

    def line(self, session: Session, caller: Caller, agreement_id: str) -> dict[str, Any]:
        """An agreement without its text, as `list` has it. Raises NotFound."""
        agreement = agreement_seen(session, caller, agreement_id, *WITHOUT_TEXT)
        return summary(session, agreement, self.clock())

    def list(self, session: Session, caller: Caller, piece: Piece = ALL) -> list[dict[str, Any]]:
        """The agreements that the caller may see, newest first; places: (`created_s`, `id`).

        Raises:
            InvalidInput: the piece's place is none.
        """
        query = sa.select(Agreement).where(visible(caller, Agreement.id))
        order = By(Agreement.created_s, falling=True), By(Agreement.id)
        rows = session.scalars(cut(query, piece, *order).options(*WITHOUT_TEXT)).all()
        return summaries(session, rows, self.clock())

    def _activate_when_complete(
        self, session: Session, agreement: Agreement, message: AgreementMessage, now_s: int
    ) -> None:
        signatures = [each.signature for each in agreement.parties if each.signature]
        if len(signatures) < len(agreement.parties):
            return
        posting = Activation(message, tuple(bytes.fromhex(each[2:]) for each in signatures))
        outbox.enqueue(
            session, kind_of(posting), posting.effect, agreement.id, posting.payload(), now_s
        )


def summary(session: Session, agreement: Agreement, now_s: int) -> dict[str, Any]:
    """An agreement without its text."""
    return summaries(session, [agreement], now_s)[0]


def summaries(
    session: Session, agreements: Sequence[Agreement], now_s: int
) -> list[dict[str, Any]]:
    """Agreements without their texts."""
    ids = [each.id for each in agreements]
    operations, stand = _activations(session, ids), standings(session, ids)
    return [_summary(each, stand[each.id], operations.get(each.id), now_s) for each in agreements]


def _summary(
    agreement: Agreement, standing: Standing, operation: Operation | None, now_s: int
) -> dict[str, Any]:
    return {
        "id": agreement.id,
        "title": agreement.title,
        "state": _state(agreement, standing, operation, now_s),
        "version": standing.version,
        "admitted": standing.admitted,
        "document_sha256": agreement.message["document"],
        "trust_domain": agreement.message["trust_domain"],
        "not_before_s": agreement.message["not_before"],
        "not_after_s": agreement.message["not_after"],
        "parties": [
            {
                "party": each.number,
                "organization": each.organization,
                "wallet": each.wallet,
                "weight": each.weight,
                "signed_s": each.signed_s,
                "out": each.number in standing.out,
            }
            for each in agreement.parties
        ],
        "operation": outbox.view(operation) if operation else None,
        "created_s": agreement.created_s,
    }


def _activations(session: Session, agreement_ids: Collection[str]) -> dict[str, Operation]:
    query = sa.select(Operation).where(
        Operation.agreement_id.in_(agreement_ids), Operation.kind == "activate"
    )
    # The best of each comes last, and stays.
    worst_first = ((Operation.state == outbox.FAILED).desc(), Operation.created_s)
    return {row.agreement_id: row for row in session.scalars(query.order_by(*worst_first))}


def _state(
    agreement: Agreement, standing: Standing, operation: Operation | None, now_s: int
) -> str:
    """draft, signing, signed, activating, failed or withdrawn, as this marketplace knows it.

    Once on chain: active, suspended, terminated or expired, which comes by time alone.
    """
    if standing.active:
        over = now_s > agreement.message["not_after"]
        return "expired" if over and standing.state != "terminated" else standing.state
    if standing.withdrawn:
        return "withdrawn"
    if operation is not None:
        return "failed" if operation.state == outbox.FAILED else "activating"
    signed = sum(each.signature is not None for each in agreement.parties)
    if signed == len(agreement.parties):
        return "signed"
    return "signing" if signed else "draft"
