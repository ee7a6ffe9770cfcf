"""What was announced lately, in words for people, and what to do about it."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.orm import Session

from marketplace.access import Caller, visible
from marketplace.storage.models import Event, Party
from marketplace.storage.models.announcements import Announcement
from marketplace.web.format import tokens

_SHOWN: Final = 6
# Of nodes, for those who run them; all else is of money and runs.
OF_NODES: Final = ("suspicion", "left-out", "returned", "quarantine", "slashed")
_PRESSING: Final = ("budget-low", "run-ending")
_HINTS: Final = {
    "withdrawal": "If the organization did not ask for this, its wallet is in other hands: move it "
    "at once, on the agreement's page, Decisions.",
    "refund": "Nothing to do: what never vested is the sponsor's.",
    "budget-low": "Its sponsor adds to the pool on the run's page; what the pool does not "
    "hold is paid to nobody.",
    "run-ended": "Claim what is left to claim; the next run begins on the agreement's page.",
    "suspicion": "A node that is up answers by itself: look at My nodes.",
    "left-out": "It is back as soon as one of its nodes is up and says so.",
    "returned": "Nothing to do.",
    "quarantine": "It ends by itself; earlier by a motion to pardon, on the agreement's page.",
    "slashed": "Two agents run with the same key, or somebody has a copy: retire the node, and "
    "enroll it with a new one.",
}
_ROUNDS_END: Final = (
    "What is credited stays claimable; the next run begins on the agreement's page."
)
_TIME_ENDS: Final = "An amendment prolongs the agreement: its page, Decisions."


def latest(session: Session, caller: Caller, kinds: Collection[str] = ()) -> list[dict[str, Any]]:
    """The newest announcements of the caller's agreements, newest first.

    Args:
        kinds: only these; empty: all.

    Returns:
        For each `kind`, `text`, `hint`, `link`, `time_s`, `transaction` (None where time alone
        brought it about), and `pressing`: something can still be done before it is too late.

    Raises:
        SignInRequired: a visitor.
    """
    query = sa.select(Announcement).where(
        visible(caller, Announcement.agreement_id), ~Announcement.withdrawn
    )
    if kinds:
        query = query.where(Announcement.kind.in_(kinds))
    rows = session.scalars(query.order_by(Announcement.number.desc()).limit(_SHOWN)).all()
    runs = {row.run_id for row in rows if row.run_id}
    events = session.execute(
        sa.select(Event.run_id, Event.kind, Event.data).where(
            Event.run_id.in_(runs), Event.kind.in_(("RunCreated", "Finished", "Ended"))
        )
    ).all()
    seats = sa.select(Party.agreement_id, Party.number).where(Party.wallet == caller.wallet)
    mine = {(row.agreement_id, row.number) for row in session.execute(seats)}
    names = {run: data["name"] for run, kind, data in events if kind == "RunCreated"}
    over = {run for run, kind, _ in events if kind != "RunCreated"}
    return [
        {
            "kind": row.kind,
            "text": _text(row, names.get(row.run_id, "")),
            "hint": _hint(row, (row.agreement_id, row.party) in mine),
            "link": f"/runs/{row.run_id}" if row.run_id else f"/agreements/{row.agreement_id}",
            "time_s": row.time_s,
            "transaction": row.data.get("transaction"),
            "pressing": row.kind in _PRESSING and row.run_id not in over,
        }
        for row in rows
    ]


def _text(row: Announcement, run: str) -> str:
    """In tokens and names; times are left to the page, which knows the reader's zone."""
    data = row.data
    match row.kind:
        case "withdrawal":
            paid = f"{tokens(data['amount_wei'])} tokens"
            return f"{data.get('organization', '')} was paid {paid} of its {data['of']}"
        case "refund":
            return f"{tokens(data['amount_wei'])} tokens of {run} went to its sponsor"
        case "budget-low":
            left, funded = (tokens(data[name]) for name in ("left_wei", "funded_wei"))
            return f"{left} of {funded} tokens are left in the pool of {run}"
        case "run-ending" if "rounds_left" in data:
            left = data["rounds_left"]
            return f"{run} is in its last {'round' if left == 1 else f'{left} rounds'}"
        case "run-ending":
            return f"The agreement of {run} is about to end"
        case "slashed":
            lost = tokens(data["penalty_wei"])
            return f"{data.get('organization', '')} lost {lost} tokens of its stake"
        case "suspicion":
            return f"{data.get('organization', '')} is said to be absent"
        case "quarantine":
            return f"{data.get('organization', '')} is in quarantine"
        case _:
            return str(data["text"])


def _hint(row: Announcement, own: bool) -> str:
    if row.kind == "withdrawal" and not own:
        return ""
    if row.kind == "run-ending":
        return _ROUNDS_END if "rounds_left" in row.data else _TIME_ENDS
    return _HINTS.get(row.kind, "")
