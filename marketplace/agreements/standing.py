"""Where an agreement stands, as the indexed events tell it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Final

import sqlalchemy as sa
from sqlalchemy.orm import Session

from contracts.consortium import State
from marketplace.storage.models import AdmittedAgreement, Agreement, AgreementVersion, Event

_STANDINGS: Final = {
    State.ACTIVE: "active",
    State.AMENDING: "active",
    State.SUSPENDED: "suspended",
    State.TERMINATED: "terminated",
}


@dataclass(frozen=True, slots=True)
class Standing:
    """What happened to an agreement on chain, and here to its first version.

    Attributes:
        active: a confirmed block says that it came into force.
        state: active, suspended or terminated, of one that came into force.
        version: in force: 1, and one more for each amendment.
        out: numbers of the parties that left or were removed.
        withdrawn: it was offered for signature and is so no more.
        admitted: this marketplace posts for it.
    """

    active: bool = False
    state: str = "active"
    version: int = 1
    out: frozenset[int] = frozenset()
    withdrawn: bool = False
    admitted: bool = False


def standings(session: Session, agreement_ids: Collection[str]) -> dict[str, Standing]:
    """Where several agreements stand, however much happened to them."""
    changes = sa.select(Event.agreement_id, Event.kind, Event.data).where(
        Event.agreement_id.in_(agreement_ids),
        Event.kind.in_(("AgreementActivated", "AgreementAmended", "StateChanged", "PartyOut")),
    )
    counts: Counter[tuple[str | None, str]] = Counter()
    states: dict[str | None, str] = {}
    out: dict[str | None, set[int]] = {}
    for agreement_id, kind, data in session.execute(changes.order_by(Event.block, Event.log_index)):
        counts[agreement_id, kind] += 1
        if kind == "PartyOut":
            out.setdefault(agreement_id, set()).add(data["party"])
        elif kind == "StateChanged":
            states[agreement_id] = _STANDINGS.get(State(data["state"]), "active")
    withdrawn = set(
        session.scalars(
            sa.select(AgreementVersion.hash).where(
                AgreementVersion.hash.in_(agreement_ids), AgreementVersion.withdrawn_s.is_not(None)
            )
        )
    )
    admitted = set(
        session.scalars(
            sa.select(AdmittedAgreement.agreement_id).where(
                AdmittedAgreement.agreement_id.in_(agreement_ids)
            )
        )
    )
    return {
        each: Standing(
            active=counts[each, "AgreementActivated"] > 0,
            state=states.get(each, "active"),
            version=1 + counts[each, "AgreementAmended"],
            out=frozenset(out.get(each, ())),
            withdrawn=each in withdrawn,
            admitted=each in admitted,
        )
        for each in agreement_ids
    }


def is_active(session: Session, agreement_id: str) -> bool:
    """Whether a confirmed block says that the agreement came into force."""
    query = sa.select(Event.id).where(
        Event.agreement_id == agreement_id, Event.kind == "AgreementActivated"
    )
    return session.scalar(query.limit(1)) is not None


def is_in_force(session: Session, agreement: Agreement, now_s: int) -> bool:
    """Whether it came into force, and is neither suspended nor over."""
    over = now_s > agreement.message["not_after"]
    return (
        is_active(session, agreement.id)
        and not over
        and standing(session, agreement.id) == "active"
    )


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


def coming_wallets(session: Session, agreement_id: str, now_s: int) -> dict[int, tuple[str, int]]:
    """By party, the wallet that is to become its own, by vote, and from when on in unix s."""
    changes = _events(session, agreement_id, "WalletChanged")
    last = {each.data["party"]: each.data for each in changes}
    return {
        party: (data["wallet"], since_s)
        for party, data in last.items()
        if (since_s := int(data["since"])) > now_s
    }


def _events(session: Session, agreement_id: str, kind: str) -> Sequence[Event]:
    query = sa.select(Event).where(Event.agreement_id == agreement_id, Event.kind == kind)
    return session.scalars(query.order_by(Event.block, Event.log_index)).all()
