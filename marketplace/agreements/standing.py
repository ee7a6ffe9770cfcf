"""Where an agreement stands, as the indexed events tell it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import sqlalchemy as sa
from sqlalchemy.orm import Session

from contracts.consortium import State
from marketplace.storage.models import AgreementVersion, Event

_STANDINGS: Final = {
    State.ACTIVE: "active",
    State.AMENDING: "active",
    State.SUSPENDED: "suspended",
    State.TERMINATED: "terminated",
}


def is_active(session: Session, agreement_id: str) -> bool:
    """Whether a confirmed block says that the agreement came into force."""
    return bool(_events(session, agreement_id, "AgreementActivated"))


def is_withdrawn(session: Session, version_hash: str) -> bool:
    """Whether a version was offered for signature and is so no more."""
    row = session.get(AgreementVersion, version_hash)
    return row is not None and row.withdrawn_s is not None


def standing(session: Session, agreement_id: str) -> str:
    """active, suspended or terminated, of an agreement that came into force."""
    changes = _events(session, agreement_id, "StateChanged")
    return _STANDINGS.get(State(changes[-1].data["state"]), "active") if changes else "active"


def version_in_force(session: Session, agreement_id: str) -> int:
    """1, and one more for each amendment."""
    return 1 + len(_events(session, agreement_id, "AgreementAmended"))


def out_parties(session: Session, agreement_id: str) -> frozenset[int]:
    """The numbers of the parties that left or were removed."""
    return frozenset(each.data["party"] for each in _events(session, agreement_id, "PartyOut"))


def _events(session: Session, agreement_id: str, kind: str) -> Sequence[Event]:
    query = sa.select(Event).where(Event.agreement_id == agreement_id, Event.kind == kind)
    return session.scalars(query.order_by(Event.block, Event.log_index)).all()
