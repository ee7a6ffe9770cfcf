"""Who is enrolled, as the indexed events of the Consortium contract tell it."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from marketplace.storage.models import Event


@dataclass(frozen=True, slots=True)
class Registered:
    """One stay of one key.

    Attributes:
        since: first snapshot that it belongs to.
        until: first snapshot that it no longer belongs to; None while it stays.
    """

    agreement_id: str
    registration: int
    party: int
    key: str
    spiffe_id: str
    url: str
    since: int
    until: int | None
    transaction: str

    def belongs_to(self, version: int) -> bool:
        return self.since <= version and (self.until is None or version < self.until)


def registrations(session: Session, agreement_id: str) -> list[Registered]:
    """Every registration ever made under an agreement, in order of their numbers."""
    return registrations_of(session, [agreement_id]).get(agreement_id, [])


def registrations_of(
    session: Session, agreement_ids: Collection[str]
) -> dict[str, list[Registered]]:
    """`registrations` of several agreements; those without any are left out."""
    told: dict[str, list[sa.Row[Any]]] = {}
    for event in _events(session, agreement_ids):
        told.setdefault(event.agreement_id or "", []).append(event)
    return {agreement_id: _replay(agreement_id, events) for agreement_id, events in told.items()}


def _replay(agreement_id: str, events: Sequence[sa.Row[Any]]) -> list[Registered]:
    found: dict[int, Registered] = {}
    for event in events:
        if event.kind == "PartyOut":
            for number, each in found.items():
                if each.party == event.data["party"] and each.until is None:
                    found[number] = replace(each, until=event.data["version"])
            continue
        number = event.data["registration"]
        if event.kind == "NodeEnrolled":
            found[number] = Registered(
                agreement_id=agreement_id,
                registration=number,
                party=event.data["party"],
                key=event.data["key"],
                spiffe_id=event.data["spiffe_id"],
                url=event.data["url"],
                since=event.data["version"],
                until=None,
                transaction=event.transaction,
            )
        else:
            found[number] = replace(found[number], until=event.data["version"])
    return [found[number] for number in sorted(found)]


def present(session: Session, agreement_id: str) -> dict[str, Registered]:
    """The nodes that are enrolled now, by SPIFFE ID."""
    return {
        each.spiffe_id: each for each in registrations(session, agreement_id) if each.until is None
    }


def _events(session: Session, agreement_ids: Collection[str]) -> Sequence[sa.Row[Any]]:
    # The contract emits the retirement of a replaced node before the enrollment that replaces it.
    query = sa.select(Event.agreement_id, Event.kind, Event.data, Event.transaction).where(
        Event.agreement_id.in_(agreement_ids),
        Event.kind.in_(("NodeEnrolled", "NodeRetired", "PartyOut")),
    )
    return session.execute(query.order_by(Event.block, Event.log_index)).all()
