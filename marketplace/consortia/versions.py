"""The versions of a draft: what a proposal comes to, and how one is added."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.orm import Session

from marketplace.access import Caller
from marketplace.agreements.document import Amends
from marketplace.agreements.drafts import DAY_S, Draft, TemplatedDraft
from marketplace.agreements.names import must_own_name
from marketplace.agreements.remarks import remark
from marketplace.agreements.service import Agreements
from marketplace.agreements.standing import version_in_force
from marketplace.agreements.templating import Template
from marketplace.consortia import proposals
from marketplace.consortia.proposals import Composed, Proposal
from marketplace.consortia.views import show_negotiation
from marketplace.errors import Conflict, InvalidInput
from marketplace.storage.models import Agreement, DraftSeat, DraftVersion, Negotiation

_NOTE_CHARACTERS: Final = 4_000


@dataclass(frozen=True, slots=True)
class Versions:
    """Functions that run in a transaction; see `storage.database`."""

    templates: Mapping[str, Template]
    agreements: Agreements

    def compose(
        self, session: Session, row: Negotiation, proposal: Proposal, now_s: int
    ) -> Composed:
        """The text and the terms that a proposal comes to, as the next version of a draft.

        Raises:
            BadAnswers, InvalidInput: see `proposals.compose`; it would be over before it is signed.
            Conflict: a name belongs to another wallet; an amendment changes the parties there are.
        """
        # From the beginning of the day on: so versions of a day differ in nothing else.
        not_before, amends = now_s - now_s % DAY_S, None
        trust_domain = self.agreements.trust_domain
        if row.amends:
            agreement = session.get_one(Agreement, row.amends)
            _must_keep(agreement, proposal)
            trust_domain = agreement.message["trust_domain"]
            not_before = agreement.message["not_before"]
            amends = Amends(row.amends, version_in_force(session, row.amends) + 1)
        composed = proposals.compose(proposal, self.templates, trust_domain, not_before, amends)
        for party in composed.proposal.parties:
            if party.wallet:
                must_own_name(session, party.organization, party.wallet)
        if not_before + composed.draft.duration_days * DAY_S <= now_s:
            raise InvalidInput("it would be over before it is signed", hint="prolong the duration")
        return composed

    def add(
        self, session: Session, caller: Caller, row: Negotiation, composed: Composed, note: str
    ) -> dict[str, Any]:
        """Adds a version to a draft, and its parties' seats; gives the draft."""
        known = session.scalar(
            sa.select(sa.func.max(DraftVersion.number)).where(DraftVersion.negotiation_id == row.id)
        )
        session.add(row)
        row.title, row.updated_s = composed.draft.title, self.agreements.clock()
        session.flush()
        session.add(
            DraftVersion(
                negotiation_id=row.id,
                number=(known or 0) + 1,
                proposal=composed.proposal.model_dump(),
                draft=composed.draft.model_dump(),
                document=composed.document,
                document_sha256="0x" + composed.document_hash.hex(),
                open_items=list(composed.open_items),
                note=remark(note, "a note", _NOTE_CHARACTERS),
                author=caller.signed_in,
                created_s=row.updated_s,
            )
        )
        session.execute(sa.delete(DraftSeat).where(DraftSeat.negotiation_id == row.id))
        for party in composed.proposal.parties:
            session.add(
                DraftSeat(
                    negotiation_id=row.id,
                    organization=party.organization,
                    wallet=party.wallet or None,
                )
            )
        session.flush()
        return show_negotiation(session, row)


def read_draft(fields: dict[str, Any]) -> Draft:
    """A stored draft."""
    return TemplatedDraft(**fields) if "template" in fields else Draft(**fields)


def says_the_same(composed: Composed, stored: DraftVersion) -> bool:
    """Whether a version differs from an earlier one in nothing but the day that it is of."""
    known = {name: each for name, each in stored.draft.items() if name in Draft.model_fields}
    return _without_time(composed.draft) == _without_time(Draft(**known))


def _without_time(draft: Draft) -> dict[str, Any]:
    said = draft.model_dump()
    return {name: said[name] for name in Draft.model_fields if name != "not_before"}


def _must_keep(agreement: Agreement, proposal: Proposal) -> None:
    """Amendments list the parties there are first, as they are; only weights may differ."""
    there_are = [(each.organization, each.wallet) for each in agreement.parties]
    listed = [(each.organization, each.wallet) for each in proposal.parties]
    if listed[: len(there_are)] != there_are:
        raise Conflict(
            "an amendment keeps the parties there are, in their order and with their wallets: "
            + ", ".join(organization for organization, _ in there_are),
            hint="add new parties behind them; to take one out, let it leave or vote to remove it",
        )
