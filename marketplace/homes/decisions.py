"""What is being decided about agreements in force: votes that are missing, what stands still."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from marketplace.access import Caller, visible
from marketplace.storage.models import Event, Motion


def pending(
    session: Session, caller: Caller, agreements: Sequence[dict[str, Any]], now_s: int
) -> list[tuple[str, str, str]]:
    """Text, hint and link of each open motion and each suspended agreement.

    What the index knows is enough here: a motion that was outrun a moment ago may still be listed,
    and its page, which asks the chain, says so.
    """
    titles = {each["id"]: each["title"] for each in agreements}
    motions = session.scalars(
        sa.select(Motion)
        .where(
            visible(caller, Motion.agreement_id),
            Motion.withdrawn_s.is_(None),
            Motion.operation_id.is_(None),
        )
        .order_by(Motion.created_s.desc(), Motion.id)
    ).all()
    decided = _decided(session, motions)
    return [
        (
            f"{titles[row.agreement_id]}: a motion to {row.action.replace('-', ' ')} has "
            f"{len(row.votes)} vote{'' if len(row.votes) == 1 else 's'}",
            "its parties vote with their wallets; with enough votes one of them posts it",
            f"/agreements/{row.agreement_id}/decisions",
        )
        for row in motions
        if row.agreement_id in titles
        and now_s < int(row.message["deadline"])
        and decided.get(_electorate(row), -1) < int(row.message["nonce"])
    ] + [
        (
            f"{each['title']} is suspended: its runs stand still",
            "a motion to resume puts it in force again; one to terminate ends it",
            f"/agreements/{each['id']}/decisions",
        )
        for each in agreements
        if each["state"] == "suspended"
    ]


def _electorate(row: Motion) -> str | None:
    """Where the chain counts motions: in the run of a pardon, otherwise in the agreement."""
    return row.run_id if row.action == "pardon" else row.agreement_id


def _decided(session: Session, motions: Sequence[Motion]) -> dict[str | None, int]:
    """The number of the last motion that was carried, by where it was counted."""
    if not motions:
        return {}
    counted = sa.or_(
        sa.and_(
            Event.kind == "Decided", Event.agreement_id.in_({each.agreement_id for each in motions})
        ),
        sa.and_(Event.kind == "Pardoned", Event.run_id.in_({each.run_id for each in motions})),
    )
    last: dict[str | None, int] = {}
    for event in session.scalars(sa.select(Event).where(counted)):
        place = event.run_id if event.kind == "Pardoned" else event.agreement_id
        last[place] = max(last.get(place, -1), int(event.data["nonce"]))
    return last
