"""A lost database, rebuilt from the chain; and the proof that it is the same again.

What is read from the chain comes back to the byte: blocks, events, rounds, rows, credits, books and
the announcements of events. The agreements come back as the contracts know them: who takes part,
under which terms; their texts are on no chain, only their hashes, so the parties' copies are taken
back in. What people told this marketplace alone is gone with the database, unless a backup has it:
drafts, comments, sessions, tokens, postings under way, heartbeats, usage reports, leases, webhooks.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.orm import Session

from marketplace.chain import books
from marketplace.chain.records import plain
from marketplace.storage.models import (
    AdmittedAgreement,
    Agreement,
    Credit,
    Cursor,
    Event,
    Party,
    Round,
)
from marketplace.storage.models.announcements import Announcement
from marketplace.storage.models.ledger import Block, LedgerBalance, RoundRow

_ZERO_ADDRESS: Final = "0x" + "00" * 20
# Numbers that a database gives out as it goes; places on the chain say the same.
_OWN: Final = {"id", "event_id"}
_OF_EVENTS: Final = (Round, RoundRow, Credit)


@dataclass(frozen=True, slots=True)
class Restored:
    """What became of the agreements: ids of those that came back with and without their texts."""

    with_text: tuple[str, ...]
    without_text: tuple[str, ...]


def dump(session: Session) -> Iterator[bytes]:
    """Yields all that follows from the chain, a line of JSON each, in one order.

    Entries that a reorganization took back are left out, with their reversals: they came to
    nothing, and the chain does not know of them any more.
    """
    for cursor in session.scalars(sa.select(Cursor).order_by(Cursor.chain_id)):
        yield _line("cursor", _columns(cursor))
    for block in session.scalars(sa.select(Block).order_by(Block.chain_id, Block.number)):
        yield _line("block", _columns(block))
    events = sa.select(Event).order_by(Event.chain_id, Event.block, Event.log_index)
    places: dict[int, list[Any]] = {}
    for event in session.scalars(events):
        places[event.id] = [event.chain_id, event.block, event.log_index]
        yield _line("event", _columns(event))
    for model in _OF_EVENTS:
        rows = session.execute(sa.select(Event.id, model).join(model, model.event_id == Event.id))
        yield from sorted(
            _line(model.__tablename__, {"event": places[event_id]} | _columns(row))
            for event_id, row in rows
        )
    for entry in books.standing_entries(session):
        postings = books.postings_of(session, entry.number)
        moved = [[str(each.account), str(each.amount_wei)] for each in postings]
        shown = _columns(entry)
        del shown["number"], shown["turn"]
        yield _line("entry", shown | {"postings": moved})
    balances = sa.select(LedgerBalance).order_by(LedgerBalance.account)
    for balance in session.scalars(balances):
        if balance.balance_wei:
            yield _line("balance", _columns(balance))
    told = sa.select(Announcement).where(Announcement.from_chain, ~Announcement.withdrawn)
    for announcement in session.scalars(told.order_by(Announcement.key)):
        shown = _columns(announcement)
        del shown["number"]
        yield _line("announcement", shown)


def digest(session: Session) -> str:
    """The SHA-256 of `dump`, in hexadecimal digits."""
    state = hashlib.sha256()
    for line in dump(session):
        state.update(line)
    return state.hexdigest()


def first_difference(mine: Iterable[bytes], theirs: Iterable[bytes]) -> str:
    """The first line that only one of two dumps has, in words; empty if they are the same."""
    ours, others = list(mine), list(theirs)
    for line in (*ours, *others):
        if (line in set(ours)) != (line in set(others)):
            where = "the database" if line in set(ours) else "the chain"
            return f"only {where} has {line.decode().strip()[:400]}"
    return "" if ours == others else "the same lines in another order"


def restore_agreements(session: Session, texts: Iterable[str] = ()) -> Restored:
    """Brings back the agreements that are in the index and not in the database.

    Args:
        texts: documents of agreements; each is taken back where its hash is that on chain, and
            the agreement is admitted. Others are once an admin admits their organizations.
    """
    by_hash = {hashlib.sha256(text.encode()).hexdigest(): text for text in texts}
    found: dict[bool, list[str]] = {True: [], False: []}
    query = sa.select(Event, Block.time_s).where(
        Event.kind == "AgreementActivated",
        Block.chain_id == Event.chain_id,
        Block.number == Event.block,
    )
    for event, time_s in session.execute(query.order_by(Event.block, Event.log_index)).all():
        agreement_id = event.agreement_id or ""
        message = event.data.get("message")
        known = session.get(Agreement, agreement_id)
        text = by_hash.get(str(event.data["document"])[2:], "")
        if known is not None and text and not known.document:
            known.document, known.title = text, _title(text, agreement_id)
        if known is None and message is not None:
            session.add(_agreement(agreement_id, message, text, time_s))
            session.flush()
            found[bool(text)].append(agreement_id)
        if text:  # the operator has it, so it was made here: see `agreements.admission`
            session.merge(
                AdmittedAgreement(
                    agreement_id=agreement_id, admitted_by=_ZERO_ADDRESS, created_s=time_s
                )
            )
    return Restored(tuple(found[True]), tuple(found[False]))


def _agreement(agreement_id: str, message: dict[str, Any], text: str, time_s: int) -> Agreement:
    return Agreement(
        id=agreement_id,
        title=_title(text, agreement_id),
        fields={},
        document=text,
        message=message,
        drafted_by=_ZERO_ADDRESS,  # the chain does not tell
        created_s=time_s,
        parties=[
            Party(
                number=number,
                organization=party["organization"],
                wallet=party["wallet"],
                weight=party["weight"],
            )
            for number, party in enumerate(message["parties"])
        ],
    )


def _title(text: str, agreement_id: str) -> str:
    first = text.lstrip("# \n").partition("\n")[0].strip()
    return first[:160] or f"Agreement {agreement_id[:10]} (its text is missing)"


def _columns(row: Any) -> dict[str, Any]:
    names = (each.key for each in sa.inspect(type(row)).column_attrs)
    return {name: plain(getattr(row, name)) for name in names if name not in _OWN}


def _line(table: str, values: dict[str, Any]) -> bytes:
    text = json.dumps([table, values], sort_keys=True, separators=(",", ":"))
    return text.encode() + b"\n"
