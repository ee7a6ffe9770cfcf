"""What people want to be told: withdrawals, budgets and runs near their end, suspicions.

An announcement is written in the transaction that stores the event it is about, together with a
delivery for each webhook: what was stored is told. It is never deleted. If a reorganization takes
the event away it is marked as withdrawn; if the event comes back, so does the announcement, under
the number and the deliveries that it had.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.orm import Session

from marketplace.access import Caller, visible
from marketplace.chain import books
from marketplace.chain.locks import lock
from marketplace.chain.records import Record
from marketplace.clock import iso
from marketplace.identity.secrets import new_id
from marketplace.storage.models import Event, Party
from marketplace.storage.models.announcements import Announcement, Delivery, Webhook
from metering.ledger import Account, Kind

KINDS: Final = (
    "withdrawal",
    "refund",
    "budget-low",
    "run-ending",
    "run-ended",
    "suspicion",
    "left-out",
    "returned",
    "quarantine",
    "slashed",
)
MOST_AT_ONCE: Final = 200
_TEXTS: Final = ("AgreementActivated", "AgreementAmended")
_OVER: Final = ("Finished", "Ended")
_HOUR_S: Final = 3_600
# Event to what is announced, and whether it is of a run or of an agreement.
_OF_EVENTS: Final = {
    "Claimed": "withdrawal",
    "ClaimedOfRoyalties": "withdrawal",
    "Withdrawn": "withdrawal",
    "Refunded": "refund",
    "Finished": "run-ended",
    "Suspected": "suspicion",
    "LeftOut": "left-out",
    "Returned": "returned",
    "Quarantined": "quarantine",
    "Slashed": "slashed",
}
_OF_WHAT: Final = {"Claimed": "rewards", "ClaimedOfRoyalties": "royalties", "Withdrawn": "stake"}


@dataclass(frozen=True, slots=True)
class Notices:
    """When to speak up, and who hears everything.

    Attributes:
        budget_percent: of a pool that are left.
        rounds: that are left of a run.
        hours: until the agreement of an open run is over.
        admins: wallets that are told of every agreement.
    """

    budget_percent: int = 10
    rounds: int = 3
    hours: int = 72
    admins: frozenset[str] = field(default_factory=frozenset)


@dataclass(frozen=True, slots=True)
class _News:
    """An announcement before it is written."""

    key: str
    kind: str
    agreement_id: str
    run_id: str | None
    party: int | None
    data: dict[str, Any]


def announce(session: Session, transaction: Sequence[Record], notices: Notices) -> None:
    """Announces what a transaction's events, just stored, bring up."""
    for number, record in enumerate(transaction):
        kind = _OF_EVENTS.get(record.kind)
        if kind is not None:
            key = f"{kind}:{record.place.transaction}:{number}"
            _write(session, _of_event(session, record, key, kind), record, notices)
    over = {each.run_id for each in transaction if each.kind in _OVER}
    for record in transaction:
        if record.run_id in over:
            continue
        if record.kind == "Credited":
            for news in _low_budget(session, record, notices):
                _write(session, news, record, notices)
        elif record.kind == "Sealed":
            for news in _last_rounds(session, record, notices):
                _write(session, news, record, notices)


def sweep(session: Session, chain_id: int, now_s: int, notices: Notices) -> int:
    """Announces what time alone brings up: open runs whose agreement is about to be over.

    Returns:
        How many announcements that were.
    """
    lock(session, chain_id)
    over = sa.select(Event.run_id).where(Event.kind.in_(_OVER))
    query = sa.select(Event).where(Event.kind == "RunCreated", Event.run_id.not_in(over))
    told = 0
    for created in session.scalars(query.order_by(Event.block, Event.log_index)).all():
        message = _text(session, created.agreement_id or "").data.get("message")
        if message is None:
            continue
        ends_s = int(message["not_after"])
        if not 0 < ends_s - now_s <= notices.hours * _HOUR_S:
            continue
        news = _News(
            key=f"run-ending:{created.run_id}:{ends_s}",
            kind="run-ending",
            agreement_id=created.agreement_id or "",
            run_id=created.run_id,
            party=None,
            data={
                "ends_s": ends_s,
                "text": f"the agreement of run {created.data['name']} is over at {iso(ends_s)}",
            },
        )
        told += _write(session, news, None, notices, now_s)
    return told


def withdraw(session: Session, after_block: int) -> None:
    """Marks what a reorganization took away."""
    session.execute(
        sa.update(Announcement)
        .where(Announcement.block > after_block, Announcement.from_chain)
        .values(withdrawn=True)
        .execution_options(synchronize_session=False)
    )


def list_announcements(
    session: Session,
    caller: Caller,
    *,
    after: int = 0,
    limit: int = 50,
    agreement_id: str | None = None,
) -> dict[str, Any]:
    """Announcements of the caller's agreements, oldest first.

    Returns:
        `items`, and `next`: what to give as `after` for those that follow.
    """
    query = sa.select(Announcement).where(
        Announcement.number > after, visible(caller, Announcement.agreement_id)
    )
    if agreement_id is not None:
        query = query.where(Announcement.agreement_id == agreement_id)
    rows = session.scalars(
        query.order_by(Announcement.number).limit(min(limit, MOST_AT_ONCE))
    ).all()
    return {"items": [view(row) for row in rows], "next": rows[-1].number if rows else after}


def view(row: Announcement) -> dict[str, Any]:
    """An announcement as the API shows it, and as it is told."""
    return {
        "number": row.number,
        "kind": row.kind,
        "agreement": row.agreement_id,
        "run": row.run_id,
        "party": row.party,
        "time_s": row.time_s,
        "block": row.block,
        "withdrawn": row.withdrawn,
        "data": row.data,
    }


def _of_event(session: Session, record: Record, key: str, kind: str) -> _News:
    data = record.data
    agreement_id = record.agreement_id or _agreement_of(session, record.run_id)
    party = data.get("party")
    name = "" if party is None else _organization(session, agreement_id, party)
    shown: dict[str, Any] = {"organization": name} if name else {}
    match record.kind:
        case "Claimed" | "ClaimedOfRoyalties" | "Withdrawn":
            what, amount = _OF_WHAT[record.kind], record.number("amount")
            shown |= {"of": what, "amount_wei": str(amount), "recipient": data["recipient"]}
            text = f"{name} was paid {amount} wei of its {what} to {data['recipient']}"
        case "Refunded":
            amount = record.number("amount")
            shown |= {"amount_wei": str(amount), "recipient": data["sponsor"]}
            text = f"{amount} wei that never vested went back to the sponsor {data['sponsor']}"
        case "Finished":
            shown |= {"rounds": data["rounds"], "ending": data["ending"]}
            text = f"run {_name(session, record.run_id)} is over after {data['rounds']} rounds"
        case "Suspected":
            shown |= {"answer_by_s": data["answer_by"], "by": data["by"]}
            until = iso(record.number("answer_by"))
            text = f"{name} is said to be absent; any of its nodes may answer until {until}"
        case "Quarantined":
            shown |= {"until_s": data["until"]}
            text = f"{name} is in quarantine until {iso(record.number('until'))}"
        case "Slashed":
            shown |= {"penalty_wei": str(record.number("penalty")), "finder": data["finder"]}
            text = f"{name} lost {data['penalty']} wei of its stake: a node contradicted itself"
        case _:
            left = record.kind == "LeftOut"
            text = f"{name} is {'left out of the next rounds' if left else 'back'}"
    shown |= {"transaction": record.place.transaction, "text": text}
    return _News(key, kind, agreement_id, record.run_id or None, party, shown)


def _low_budget(session: Session, credited: Record, notices: Notices) -> Iterator[_News]:
    run = credited.run_id
    funded_wei = -books.balance_wei(session, Account(Kind.SPONSOR, run))
    left_wei = sum(
        books.balance_wei(session, Account(kind, run)) for kind in (Kind.ESCROW, Kind.REMAINDER)
    )
    if left_wei * 100 > funded_wei * notices.budget_percent:
        return
    name = _name(session, run)
    yield _News(
        key=f"budget-low:{run}:{funded_wei}",  # again after it was funded again
        kind="budget-low",
        agreement_id=_agreement_of(session, run),
        run_id=run,
        party=None,
        data={
            "left_wei": str(left_wei),
            "funded_wei": str(funded_wei),
            "transaction": credited.place.transaction,
            "text": f"{left_wei} wei of {funded_wei} are left in the pool of run {name}",
        },
    )


def _last_rounds(session: Session, sealed: Record, notices: Notices) -> Iterator[_News]:
    created = _created(session, sealed.run_id)
    left = int(created.data["terms"]["max_rounds"]) - sealed.number("round")
    if left > notices.rounds or sealed.number("round") == 0:  # a short run has only begun
        return
    yield _News(
        key=f"run-ending:{sealed.run_id}:rounds",
        kind="run-ending",
        agreement_id=created.agreement_id or "",
        run_id=sealed.run_id,
        party=None,
        data={
            "rounds_left": left,
            "transaction": sealed.place.transaction,
            "text": f"{left} rounds are left of run {created.data['name']}",
        },
    )


def _write(
    session: Session, news: _News, record: Record | None, notices: Notices, now_s: int = 0
) -> bool:
    """Writes an announcement and its deliveries; False if it was announced before."""
    time_s = now_s if record is None else record.time_s
    block = None if record is None else record.place.block
    row = session.scalar(sa.select(Announcement).where(Announcement.key == news.key))
    if row is not None:
        if row.withdrawn:
            row.withdrawn, row.time_s, row.block, row.data = False, time_s, block, news.data
        return False
    row = Announcement(
        key=news.key,
        kind=news.kind,
        agreement_id=news.agreement_id,
        run_id=news.run_id,
        party=news.party,
        time_s=time_s,
        block=block,
        from_chain=record is not None,
        withdrawn=False,
        data=news.data,
    )
    session.add(row)
    session.flush()
    for webhook in _listeners(session, row, notices):
        session.add(
            Delivery(
                id=new_id(),
                webhook_id=webhook.id,
                announcement=row.number,
                state="waiting",
                attempts=0,
                next_s=0,
                created_s=time_s,
            )
        )
    session.flush()
    return True


def _listeners(session: Session, row: Announcement, notices: Notices) -> list[Webhook]:
    parties = sa.select(Party.wallet).where(Party.agreement_id == row.agreement_id)
    query = sa.select(Webhook).where(
        ~Webhook.stopped, sa.or_(Webhook.wallet.in_(parties), Webhook.wallet.in_(notices.admins))
    )
    found = session.scalars(query.order_by(Webhook.id))
    return [each for each in found if not each.kinds or row.kind in each.kinds]


def _created(session: Session, run_id: str) -> Event:
    query = sa.select(Event).where(Event.kind == "RunCreated", Event.run_id == run_id)
    return session.scalars(query).one()


def _agreement_of(session: Session, run_id: str) -> str:
    return _created(session, run_id).agreement_id or ""


def _name(session: Session, run_id: str) -> str:
    return str(_created(session, run_id).data["name"])


def _text(session: Session, agreement_id: str) -> Event:
    """The version of an agreement that is in force."""
    query = sa.select(Event).where(Event.kind.in_(_TEXTS), Event.agreement_id == agreement_id)
    return session.scalars(
        query.order_by(Event.block.desc(), Event.log_index.desc()).limit(1)
    ).one()


def _organization(session: Session, agreement_id: str, party: int) -> str:
    return str(_text(session, agreement_id).data["members"][party]["organization"])
