"""What is being decided about agreements in force: votes that are missing, what stands still."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from marketplace.access import Caller, visible
from marketplace.chain.outbox import events_of
from marketplace.storage.models import Motion


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
    )
    return [
        (
            f"{titles[row.agreement_id]}: a motion to {row.action.replace('-', ' ')} has "
            f"{len(row.votes)} vote{'' if len(row.votes) == 1 else 's'}",
            "its parties vote with their wallets; with enough votes one of them posts it",
            f"/agreements/{row.agreement_id}/decisions",
        )
        for row in motions
        if row.agreement_id in titles and _is_open(session, row, now_s)
    ] + [
        (
            f"{each['title']} is suspended: its runs stand still",
            "a motion to resume puts it in force again; one to terminate ends it",
            f"/agreements/{each['id']}/decisions",
        )
        for each in agreements
        if each["state"] == "suspended"
    ]


def _is_open(session: Session, row: Motion, now_s: int) -> bool:
    nonce, deadline_s = int(row.message["nonce"]), int(row.message["deadline"])
    decided = (
        events_of(session, "Pardoned", run_id=row.run_id)
        if row.action == "pardon"
        else events_of(session, "Decided", agreement_id=row.agreement_id)
    )
    return now_s < deadline_s and all(int(each.data["nonce"]) < nonce for each in decided)
