"""What is derived from events: rows for rounds, rows and credits, the books, announcements."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

import sqlalchemy as sa
from sqlalchemy.orm import Session

from contracts.deployment import Deployment
from contracts.parties import party_set
from marketplace.chain import books
from marketplace.chain.books import LedgerMismatch
from marketplace.chain.facts import by_transaction, facts_of, row_of
from marketplace.chain.history import IndexedHistory
from marketplace.chain.records import Record
from marketplace.money import announcements
from marketplace.storage.models import Credit, Event, Round
from marketplace.storage.models.ledger import Block, RoundRow
from metering.ledger import Account, Credited, credited_wei

__all__ = ["LedgerMismatch", "store"]

# What a column holds. The contracts have losses up to twice as large.
_LARGEST_INTEGER: Final = 2**63 - 1
# What who cannot evaluate says for a loss.
_NO_DATA: Final = 2**64 - 1
_REJECT_BYTES: Final = 3


def store(
    session: Session,
    deployment: Deployment,
    found: Iterable[Record],
    notices: announcements.Notices,
) -> int:
    """Stores events in the order of the chain, and what follows from them. Safe to repeat.

    Returns:
        How many of them were new.

    Raises:
        LedgerMismatch: an event does not follow from those before it.
    """
    records = list(found)
    known = _known(session, deployment.chain_id, records)
    stored = 0
    for transaction in by_transaction(records):
        new = [each for each in transaction if each.place.key not in known]
        if not new:
            continue
        rows = {each.place.key: _event(session, each) for each in new}
        try:
            _enter(session, new, rows)
            announcements.announce(session, new, notices)
        except sa.exc.NoResultFound as error:
            raise LedgerMismatch(
                f"the transaction {new[0].place.transaction} is about a run or an agreement that "
                "was not read",
                hint="set first_block to the block of the deployment, or to 0",
            ) from error
        stored += len(new)
    books.save(session)
    return stored


def _known(session: Session, chain_id: int, records: Sequence[Record]) -> set[tuple[int, str, int]]:
    if not records:
        return set()
    query = sa.select(Event.chain_id, Event.block_hash, Event.log_index).where(
        Event.chain_id == chain_id,
        Event.block.between(records[0].place.block, records[-1].place.block),
    )
    return {(row[0], row[1], row[2]) for row in session.execute(query)}


def _event(session: Session, record: Record) -> Event:
    place = record.place
    row = Event(
        chain_id=place.chain_id,
        block=place.block,
        block_hash=place.block_hash,
        log_index=place.log_index,
        transaction=place.transaction,
        kind=record.kind,
        agreement_id=record.agreement_id or None,
        run_id=record.run_id or None,
        data=dict(record.data),
    )
    session.add(row)
    session.merge(Block(chain_id=place.chain_id, number=place.block, time_s=record.time_s))
    session.flush()
    if record.kind == "Sealed":
        session.add(_round(row, record))
    elif record.kind == "RowCounted":
        session.add(_row(row, record))
    session.flush()
    return row


def _round(row: Event, sealed: Record) -> Round:
    data, shares = sealed.data, row_of(sealed.data)
    return Round(
        event_id=row.id,
        run_id=sealed.run_id,
        number=sealed.number("round"),
        term=sealed.number("term"),
        merged_root=data["merged_root"],
        loss_before_e9=min(sealed.number("loss_before"), _LARGEST_INTEGER),
        loss_after_e9=min(sealed.number("loss_after"), _LARGEST_INTEGER),
        metric_e9=sealed.number("metric"),
        shares=[list(share) for share in shares],
        rejects=_rejects(bytes.fromhex(data["rejects"][2:])),
        signers=list(data["signers"]),
        credited_wei=sealed.number("credited"),
        paid=_signed(party_set(party for party, _ in shares)),
    )


def _row(row: Event, counted: Record) -> RoundRow:
    before, after = (counted.number(name) for name in ("loss_before", "loss_after"))
    return RoundRow(
        event_id=row.id,
        run_id=counted.run_id,
        round=counted.number("round"),
        party=counted.number("party"),
        registration=counted.number("registration"),
        loss_before_e9=None if after == _NO_DATA else min(before, _LARGEST_INTEGER),
        loss_after_e9=None if after == _NO_DATA else min(after, _LARGEST_INTEGER),
        metric_e9=counted.number("metric"),
        shares=counted.data["shares"],
    )


def _signed(number: int) -> int:
    """64 bits as a column has them."""
    return number - 2**64 if number > _LARGEST_INTEGER else number


def _rejects(packed: bytes) -> list[list[int]]:
    """[registration, reason] of each. The contract takes these bytes as they are: so do we."""
    whole = len(packed) - len(packed) % _REJECT_BYTES
    entries = (packed[n : n + _REJECT_BYTES] for n in range(0, whole, _REJECT_BYTES))
    return [[int.from_bytes(entry[:2], "big"), entry[2]] for entry in entries]


def _enter(
    session: Session,
    transaction: Sequence[Record],
    rows: Mapping[tuple[int, str, int], Event],
) -> None:
    """Enters what a transaction moved, and which organization was credited what."""
    history = IndexedHistory(session)

    def balance(account: Account) -> int:
        return books.balance_wei(session, account)

    for fact in facts_of(transaction, history, balance):
        if not isinstance(fact, Credited):
            books.enter(session, fact)
            continue
        available_wei = fact.vested_wei - credited_wei(fact.run, balance)
        books.enter(session, fact)
        cause = next(
            each
            for each in transaction
            if each.kind in ("Sealed", "Settled")
            and each.run_id == fact.run
            and each.place.log_index > fact.place.log_index
        )
        for party, amount_wei in fact.division.amounts_wei(available_wei):
            session.add(
                Credit(
                    event_id=rows[cause.place.key].id,
                    party=party,
                    run_id=fact.run,
                    round=fact.round,
                    share_bips=fact.division.bips(party),
                    amount_wei=amount_wei,
                )
            )
    session.flush()
