"""What happened before, as the index has it: see `facts.History`."""

from __future__ import annotations

from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.orm import Session

from marketplace.chain.facts import Rows, row_of
from marketplace.storage.models import Event, Round
from marketplace.storage.models.ledger import RoundRow

_TEXTS = ("AgreementActivated", "AgreementAmended")


@dataclass(frozen=True, slots=True)
class IndexedHistory:
    """A history that asks the database."""

    session: Session

    def rows(self, run_id: str, round_number: int) -> Rows:
        found = self.session.scalars(
            sa.select(RoundRow).where(RoundRow.run_id == run_id, RoundRow.round == round_number)
        )
        return {row.party: row_of({"shares": row.shares}) for row in found}

    def roster(self, run_id: str, round_number: int) -> int | None:
        sealed = self.session.scalar(
            sa.select(Event)
            .join(Round, Round.event_id == Event.id)
            .where(Round.run_id == run_id, Round.number == round_number)
        )
        found = None if sealed is None else sealed.data.get("roster")
        return None if found is None else int(found)

    def party_count(self, run_id: str) -> int:
        created = self.session.scalars(
            sa.select(Event).where(Event.kind == "RunCreated", Event.run_id == run_id)
        ).one()
        before = sa.or_(
            Event.block < created.block,
            sa.and_(Event.block == created.block, Event.log_index < created.log_index),
        )
        return int(self._text(created.agreement_id or "", before).data["parties"])

    def penalty_recipient(self, agreement_id: str) -> str:
        return str(self._text(agreement_id, sa.true()).data["penalty_recipient"])

    def _text(self, agreement_id: str, before: sa.ColumnElement[bool]) -> Event:
        """The version of an agreement that was in force."""
        query = sa.select(Event).where(
            Event.kind.in_(_TEXTS), Event.agreement_id == agreement_id, before
        )
        latest = query.order_by(Event.block.desc(), Event.log_index.desc()).limit(1)
        return self.session.scalars(latest).one()
