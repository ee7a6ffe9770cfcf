"""Drafts from the first proposal to the offer for signature.

Versions are only ever added. Who proposes says which version he started from; if somebody was
quicker, he is told and looks at that first. Offered is the last version and no other, and a further
proposal takes the offer back, unless everybody has signed already.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from contracts.messages import checksum_address
from marketplace.access import Caller, agreement_seen
from marketplace.agreements.remarks import remark
from marketplace.agreements.service import Agreements
from marketplace.consortia.proposals import OpenParty, Proposal, proposal_of
from marketplace.consortia.versions import Versions, read_draft, says_the_same
from marketplace.consortia.views import (
    last_version,
    negotiated,
    negotiation_seen,
    show_negotiation,
    summaries,
    visible_negotiations,
)
from marketplace.errors import Conflict, NotAllowed
from marketplace.governance import amendments
from marketplace.identity.secrets import new_id
from marketplace.storage.models import Agreement, Comment, Negotiation
from marketplace.storage.pieces import ALL, By, Piece, cut

_COMMENT_CHARACTERS = 4_000


@dataclass(frozen=True, slots=True)
class Negotiations:
    """Functions that run in a transaction; see `storage.database`."""

    versions: Versions
    agreements: Agreements

    def start(
        self, session: Session, caller: Caller, proposal: Proposal, note: str, now_s: int
    ) -> dict[str, Any]:
        """Begins a draft with its first version.

        Raises:
            NotAllowed: the caller is neither an admin nor a party of it.
            BadAnswers, InvalidInput: see `proposals.compose`.
            Conflict: an organization's name belongs to another wallet.
        """
        if not caller.is_admin and caller.signed_in not in _wallets(proposal):
            raise NotAllowed(
                "drafts are begun by one of their parties or by an admin of the marketplace",
                hint="name your own wallet for your organization",
            )
        row = self._begin(session, caller, None, now_s)
        return self.versions.add(
            session, caller, row, self.versions.compose(session, row, proposal, now_s), note
        )

    def amend(
        self,
        session: Session,
        caller: Caller,
        agreement_id: str,
        proposal: Proposal | None,
        note: str,
        now_s: int,
    ) -> dict[str, Any]:
        """Begins the draft of an amendment; without a proposal, with what is in force.

        Raises:
            NotFound: no such agreement that the caller may see.
            NotAllowed: the caller is neither an admin nor a party of it.
            Conflict: it is not in force, or the parties there are were left out or changed.
        """
        agreement = agreement_seen(session, caller, agreement_id)
        wallets = {each.wallet for each in agreement.parties}
        if not caller.is_admin and caller.signed_in not in wallets:
            raise NotAllowed(
                "amendments are begun by a party of the agreement or by an admin",
                hint="sign in with the wallet of one of the parties",
            )
        amendments.must_be_amendable(session, agreement, now_s)
        row = self._begin(session, caller, agreement_id, now_s)
        said = proposal or proposal_of(agreement.fields, _parties(agreement))
        return self.versions.add(
            session, caller, row, self.versions.compose(session, row, said, now_s), note
        )

    def propose(
        self,
        session: Session,
        caller: Caller,
        negotiation_id: str,
        based_on: int,
        proposal: Proposal,
        note: str,
        now_s: int,
    ) -> dict[str, Any]:
        """Adds a version: a counter-proposal to the last one.

        Raises:
            NotFound, NotAllowed: see `views.negotiated`.
            Conflict: somebody else proposed in between, or all have signed already.
        """
        row = negotiated(session, caller, negotiation_id, lock=True)
        latest = last_version(session, row.id)
        if based_on != latest.number:
            raise Conflict(
                f"version {latest.number} was proposed meanwhile; yours was made from {based_on}",
                hint=f"look at what changed, then propose again: /drafts/{row.id}",
            )
        self._reopen(session, row, now_s)
        composed = self.versions.compose(session, row, proposal, now_s)
        if says_the_same(composed, latest):
            raise Conflict(f"this says the same as version {latest.number}")
        return self.versions.add(session, caller, row, composed, note)

    def comment(
        self, session: Session, caller: Caller, negotiation_id: str, text: str, now_s: int
    ) -> dict[str, Any]:
        """Says something about the last version.

        Raises:
            NotFound, NotAllowed: see `views.negotiated`.
            InvalidInput: nothing, or too much.
        """
        row = negotiated(session, caller, negotiation_id)
        said = remark(text, "a comment", _COMMENT_CHARACTERS, needed=True)
        session.add(
            Comment(
                negotiation_id=row.id,
                version=last_version(session, row.id).number,
                text=said,
                author=caller.signed_in,
                created_s=now_s,
            )
        )
        row.updated_s = now_s
        session.flush()
        return self.show(session, caller, row.id)

    def offer(
        self, session: Session, caller: Caller, negotiation_id: str, version: int, now_s: int
    ) -> dict[str, Any]:
        """Offers the last version for signature.

        Raises:
            NotFound, NotAllowed: see `views.negotiated`.
            Conflict: it is not the last one, something in it is open, or it is offered already.
        """
        row = negotiated(session, caller, negotiation_id, lock=True)
        latest = last_version(session, row.id)
        if version != latest.number:
            raise Conflict(
                f"version {latest.number} is the last one, and only the last one can be offered",
                hint="read it, then offer it",
            )
        if row.state != "open":
            raise Conflict(f"this draft is {row.state}")
        if latest.open_items:
            raise Conflict(
                f"to be agreed before signing: {', '.join(latest.open_items)}",
                hint="propose a version that says it; invite those whose wallet is not named",
            )
        draft = read_draft(latest.draft)
        if row.amends:
            agreement = session.get_one(Agreement, row.amends)
            offered = amendments.offer(
                session, agreement, draft, latest.document, caller.signed_in, now_s
            )
        else:
            offered = self.agreements.offer(session, draft, latest.document, row.started_by, now_s)
            amendments.remember_first(session, session.get_one(Agreement, offered), now_s)
        row.state, row.offered_hash, row.updated_s = "offered", offered, now_s
        session.flush()
        return self.show(session, caller, row.id)

    def withdraw(
        self, session: Session, caller: Caller, negotiation_id: str, now_s: int
    ) -> dict[str, Any]:
        """Ends a draft without an agreement.

        Raises:
            NotAllowed: the caller neither began it nor is an admin.
            Conflict: all have signed already.
        """
        row = negotiated(session, caller, negotiation_id, lock=True)
        if not caller.is_admin and caller.signed_in != row.started_by:
            raise NotAllowed("a draft is withdrawn by who began it, or by an admin")
        if row.state == "offered":
            self._reopen(session, row, now_s)
        row.state, row.updated_s = "withdrawn", now_s
        session.flush()
        return self.show(session, caller, row.id)

    def seat(
        self, session: Session, row: Negotiation, organization: str, wallet: str, now_s: int
    ) -> None:
        """Names the wallet of a party, by a version of its own.

        Raises:
            Conflict: that party has a wallet, or that wallet is another party's; the draft is over.
        """
        self._reopen(session, row, now_s)
        latest = last_version(session, row.id)
        proposal = Proposal(**latest.proposal)
        for party in proposal.parties:
            if party.wallet == wallet:
                raise Conflict(f"this wallet is that of {party.organization} already")
            if party.organization == organization:
                if party.wallet:
                    raise Conflict(f"{organization} has named its wallet already, {party.wallet}")
                party.wallet = wallet
        composed = self.versions.compose(session, row, proposal, now_s)
        note = f"{organization} joins with its wallet."
        self.versions.add(session, Caller(wallet), row, composed, note)

    def show(self, session: Session, caller: Caller, negotiation_id: str) -> dict[str, Any]:
        """A draft with all that was ever proposed and said.

        Raises:
            NotFound: there is none that the caller may see.
        """
        return show_negotiation(session, negotiation_seen(session, caller, negotiation_id))

    def list(
        self,
        session: Session,
        caller: Caller,
        agreement_id: str | None = None,
        piece: Piece = ALL,
    ) -> list[dict[str, Any]]:
        """The drafts that the caller may see, the latest change first.

        Places are (`updated_s`, `id`): what is changed between two pieces comes to the front.

        Raises:
            InvalidInput: the piece's place is none.
        """
        query = sa.select(Negotiation).where(visible_negotiations(caller))
        if agreement_id is not None:
            query = query.where(Negotiation.amends == agreement_id)
        order = By(Negotiation.updated_s, falling=True), By(Negotiation.id)
        return summaries(session, session.scalars(cut(query, piece, *order)).all())

    def _begin(
        self, session: Session, caller: Caller, amends: str | None, now_s: int
    ) -> Negotiation:
        return Negotiation(
            id=new_id(),
            title="",
            amends=amends,
            state="open",
            started_by=caller.signed_in,
            created_s=now_s,
            updated_s=now_s,
        )

    def _reopen(self, session: Session, row: Negotiation, now_s: int) -> None:
        if row.state == "withdrawn":
            raise Conflict("this draft was withdrawn", hint="begin a new one")
        if row.offered_hash is None:
            return
        amendments.take_back(session, row.offered_hash, now_s)
        row.state, row.offered_hash = "open", None


def _wallets(proposal: Proposal) -> set[str]:
    return {checksum_address(each.wallet) for each in proposal.parties if each.wallet}


def _parties(agreement: Agreement) -> list[OpenParty]:
    listed = agreement.fields.get("parties", ())
    names = {each["organization"]: each["name"] for each in listed}
    return [
        OpenParty(
            organization=each.organization,
            name=names.get(each.organization, each.organization),
            wallet=each.wallet,
            weight=each.weight,
        )
        for each in agreement.parties
    ]
