"""Who is enrolled, as the indexed events of the Consortium contract tell it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

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
    found: dict[int, Registered] = {}
    for event in _events(session, agreement_id):
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


def _events(session: Session, agreement_id: str) -> Sequence[Event]:
    # The contract emits the retirement of a replaced node before the enrollment that replaces it.
    query = sa.select(Event).where(
        Event.agreement_id == agreement_id,
        Event.kind.in_(("NodeEnrolled", "NodeRetired", "PartyOut")),
    )
    return session.scalars(query.order_by(Event.block, Event.log_index)).all()
