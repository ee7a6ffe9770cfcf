"""Amendments: versions of an agreement that is in force, offered, signed, posted.

The chain knows an agreement by the id of its first version for good. Several amendments of one
version may be offered; the first that all have signed wins, and the others can be no longer.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from contracts.errors import SignatureError
from contracts.messages import Agreement as AgreementMessage
from contracts.messages import Domain, from_json, recover, struct_hash, to_json, typed_data
from marketplace.access import Caller, agreement_seen
from marketplace.agreements.drafts import Draft
from marketplace.agreements.names import must_own_name
from marketplace.agreements.standing import (
    is_in_force,
    out_parties,
    version_in_force,
)
from marketplace.chain import outbox
from marketplace.chain.governing import Amendment
from marketplace.consortia.views import visible_negotiations
from marketplace.errors import Conflict, NotFound, WrongSignature
from marketplace.storage.models import (
    WITHOUT_TEXT,
    Agreement,
    AgreementVersion,
    Negotiation,
    Operation,
    VersionSignature,
)
from marketplace.storage.pieces import ALL, By, Piece, cut

_NO_TEXT = (
    sa.orm.defer(AgreementVersion.document),
    sa.orm.defer(AgreementVersion.fields),
)


@dataclass(frozen=True, slots=True)
class Amendments:
    """Functions that run in a transaction; see `storage.database`."""

    domain: Domain

    def sign(
        self,
        session: Session,
        caller: Caller,
        version_hash: str,
        organization: str,
        signature: bytes,
        now_s: int,
    ) -> dict[str, Any]:
        """Takes a party's signature under an amendment; the last one has it posted.

        Raises:
            NotFound: no such amendment that the caller may see, or no such party.
            WrongSignature: not made by that party's wallet, or not under this amendment.
            Conflict: it was withdrawn or outrun, or that party has signed otherwise.
        """
        row = _seen(session, caller, version_hash)
        message = from_json(AgreementMessage, row.message)
        must_be_current(session, row)
        numbers = {each.organization: n for n, each in enumerate(message.parties)}
        if organization not in numbers:
            raise NotFound(f"{organization} is no party of this amendment")
        number = numbers[organization]
        wallet = message.parties[number].wallet
        try:
            signer = recover(self.domain, message, signature)
        except SignatureError as error:
            raise WrongSignature(str(error), hint="sign the amendment's typed_data") from error
        if signer != wallet:
            raise WrongSignature(
                f"this is not a signature of {organization} ({wallet}) under this amendment",
                hint="sign this amendment's typed_data with exactly that wallet",
            )
        text = "0x" + signature.hex()
        known = {each.party: each.signature for each in row.signatures}
        if known.get(number, text) != text:
            raise Conflict(f"{organization} has signed already")
        if number not in known:
            session.add(
                VersionSignature(hash=row.hash, party=number, signature=text, signed_s=now_s)
            )
            session.flush()
            session.refresh(row)
        self._post_when_complete(session, row, message, now_s)
        return view(session, row)

    def list(
        self, session: Session, caller: Caller, agreement_id: str, piece: Piece = ALL
    ) -> list[dict[str, Any]]:
        """An agreement's amendments, the newest first; places: (`version`, `created_s`, `hash`).

        Raises:
            NotFound: no such agreement that the caller may see.
            InvalidInput: the piece's place is none.
        """
        agreement = agreement_seen(session, caller, agreement_id, *WITHOUT_TEXT)
        query = sa.select(AgreementVersion).where(
            AgreementVersion.agreement_id == agreement.id, AgreementVersion.version > 1
        )
        query = query.options(*_NO_TEXT)
        order = (
            By(AgreementVersion.version, falling=True),
            By(AgreementVersion.created_s, falling=True),
            By(AgreementVersion.hash),
        )
        rows = session.scalars(cut(query, piece, *order)).all()
        if not rows:
            return []
        gone, amended = out_parties(session, agreement.id), _amended(session, agreement.id)
        return [_view(each, gone, amended) for each in rows]

    def show(self, session: Session, caller: Caller, version_hash: str) -> dict[str, Any]:
        """One amendment with its text and message. Raises NotFound."""
        row = _seen(session, caller, version_hash)
        message = from_json(AgreementMessage, row.message)
        return view(session, row) | {
            "document": row.document,
            "agreement_message": row.message,
            "typed_data": typed_data(self.domain, message),
        }

    def _post_when_complete(
        self, session: Session, row: AgreementVersion, message: AgreementMessage, now_s: int
    ) -> None:
        signed = {each.party: bytes.fromhex(each.signature[2:]) for each in row.signatures}
        gone = out_parties(session, row.agreement_id)
        if any(n not in signed and n not in gone for n in range(len(message.parties))):
            return
        if row.operation is not None and row.operation.state != outbox.FAILED:
            return
        # Nobody looks at what stands for a party that is out.
        signatures = tuple(signed.get(n, b"") for n in range(len(message.parties)))
        posting = Amendment(message, signatures)
        row.operation = outbox.enqueue(
            session, "amend", posting.effect, row.agreement_id, posting.payload(), now_s
        )


def view(session: Session, row: AgreementVersion) -> dict[str, Any]:
    """An amendment without its text."""
    gone, amended = out_parties(session, row.agreement_id), _amended(session, row.agreement_id)
    return _view(row, gone, amended)


def _view(
    row: AgreementVersion, gone: Collection[int], amended: Mapping[int, str]
) -> dict[str, Any]:
    signed = {each.party: each.signed_s for each in row.signatures}
    return {
        "hash": row.hash,
        "agreement": row.agreement_id,
        "version": row.version,
        "title": row.title,
        "state": _state(row, amended),
        "document_sha256": row.message["document"],
        "not_before_s": row.message["not_before"],
        "not_after_s": row.message["not_after"],
        "parties": [
            {
                "party": number,
                "organization": each["organization"],
                "wallet": each["wallet"],
                "weight": each["weight"],
                "signed_s": signed.get(number),
                "out": number in gone,
            }
            for number, each in enumerate(row.message["parties"])
        ],
        "operation": outbox.view(row.operation) if row.operation else None,
        "created_s": row.created_s,
    }


def must_be_amendable(session: Session, agreement: Agreement, now_s: int) -> None:
    """Refuses where the contract would. Raises Conflict."""
    if not is_in_force(session, agreement, now_s):
        raise Conflict(
            "only an agreement in force can be amended",
            hint="one that is suspended has to be resumed first; one that is over needs a new one",
        )


def offer(
    session: Session, agreement: Agreement, draft: Draft, document: str, by: str, now_s: int
) -> str:
    """Stores an amendment for signature and gives its hash.

    Raises:
        Conflict: the agreement is not in force, or a name belongs to another wallet.
    """
    must_be_amendable(session, agreement, now_s)
    for party in draft.parties:
        must_own_name(session, party.organization, party.wallet)
    remember_first(session, agreement, now_s)
    message = replace(
        draft.message(hashlib.sha256(document.encode()).digest()),
        previous=bytes.fromhex(agreement.id[2:]),
        version=version_in_force(session, agreement.id) + 1,
    )
    version_hash = "0x" + struct_hash(message).hex()
    row = session.get(AgreementVersion, version_hash)
    if row is None:
        row = AgreementVersion(
            hash=version_hash,
            agreement_id=agreement.id,
            version=message.version,
            title=draft.title,
            fields=draft.model_dump(),
            document=document,
            message=to_json(message),
            offered_by=by,
            created_s=now_s,
        )
        session.add(row)
    row.withdrawn_s = None
    session.flush()
    return version_hash


def remember_first(session: Session, agreement: Agreement, now_s: int) -> None:
    """Keeps the first version, which an amendment will take the place of."""
    row = session.get(AgreementVersion, agreement.id)
    if row is None:
        row = AgreementVersion(
            hash=agreement.id,
            agreement_id=agreement.id,
            version=1,
            title=agreement.title,
            fields=agreement.fields,
            document=agreement.document,
            message=agreement.message,
            offered_by=agreement.drafted_by,
            created_s=now_s,
        )
        session.add(row)
    row.withdrawn_s = None
    session.flush()


def take_back(session: Session, version_hash: str, now_s: int) -> None:
    """Offers a version no longer.

    Raises:
        Conflict: everybody has signed it, so that it may come into force any time.
    """
    row = session.get_one(AgreementVersion, version_hash)
    if row.version == 1:
        agreement = session.get_one(Agreement, version_hash)
        complete = all(each.signature for each in agreement.parties)
    else:
        complete = row.operation is not None or state(session, row) == "in force"
    if complete:
        raise Conflict(
            "everybody has signed it: it can be changed by an amendment only",
            hint=f"swarm-market agreement amend {row.agreement_id[:12]}",
        )
    row.withdrawn_s = now_s


def must_be_current(session: Session, row: AgreementVersion) -> None:
    """Refuses a version that can no longer come into force. Raises Conflict."""
    if (now := state(session, row)) not in ("offered", "failed", "posting"):
        raise Conflict(f"this amendment is {now}", hint="look at the versions of the agreement")


def state(session: Session, row: AgreementVersion) -> str:
    """offered, posting, failed, in force, replaced, outrun or withdrawn."""
    return _state(row, _amended(session, row.agreement_id))


def _amended(session: Session, agreement_id: str) -> dict[int, str]:
    """The hash of each version that an amendment brought into force."""
    events = outbox.events_of(session, "AgreementAmended", agreement_id=agreement_id)
    return {each.data["version"]: each.data["agreement_hash"] for each in events}


def _state(row: AgreementVersion, amended: Mapping[int, str]) -> str:
    if row.version in amended:
        if amended[row.version] != row.hash:
            return "outrun"
        return "in force" if row.version == max(amended) else "replaced"
    if row.withdrawn_s is not None:
        return "withdrawn"
    operation: Operation | None = row.operation
    if operation is None:
        return "offered"
    return "failed" if operation.state == outbox.FAILED else "posting"


def _seen(session: Session, caller: Caller, version_hash: str) -> AgreementVersion:
    """An amendment seen by the agreement's parties, and by those that it would add."""
    drafts = sa.select(Negotiation.offered_hash).where(visible_negotiations(caller))
    row = session.get(AgreementVersion, version_hash)
    if row is None or row.version == 1:
        raise NotFound(f"no amendment {version_hash}")
    if session.scalar(drafts.where(Negotiation.offered_hash == version_hash)) is None:
        agreement_seen(session, caller, row.agreement_id)
    return row
