"""The books in the database: what `metering.ledger` says, kept as rows.

Every function runs in the transaction that stores the events, under the lock of the index: one
writer at a time.
"""

from __future__ import annotations

from collections.abc import Mapping

import sqlalchemy as sa
from sqlalchemy.orm import Session

from marketplace.errors import MarketError
from marketplace.storage.models.ledger import LedgerBalance, LedgerEntry, LedgerPosting
from metering.errors import MeteringError
from metering.ledger import Account, Entry, Fact, Place, Posting, rate


class LedgerMismatch(MarketError):
    """What we computed from an event differs from what the contract said it credited."""

    code = "ledger-mismatch"


def balance_wei(session: Session, account: Account) -> int:
    """What an account holds; zero if it was never used."""
    row = session.get(LedgerBalance, str(account))
    return 0 if row is None else row.balance_wei


def balances(session: Session) -> dict[Account, int]:
    """All accounts that are not at zero."""
    rows = session.execute(
        sa.select(LedgerBalance.account, LedgerBalance.balance_wei).order_by(LedgerBalance.account)
    )
    return {Account.parse(account): wei for account, wei in rows if wei}


def enter(session: Session, fact: Fact) -> Entry:
    """Enters what an event moved.

    Raises:
        LedgerMismatch: the fact does not follow from what is in the books.
    """
    try:
        entry = rate(fact, lambda account: balance_wei(session, account))
    except MeteringError as error:
        raise LedgerMismatch(
            str(error),
            hint=error.hint
            or "events are missing from the index: point rpc_url at an endpoint with all logs",
        ) from error
    last = session.scalar(sa.select(sa.func.max(LedgerEntry.turn)).where(*_same_event(entry.place)))
    _append(session, entry, turn=0 if last is None else last + 1)
    return entry


def take_back(session: Session, chain_id: int, after_block: int) -> int:
    """Reverses all that stands after a block, the last first; returns how many entries."""
    reversed_ = sa.orm.aliased(LedgerEntry)
    standing = (
        sa.select(LedgerEntry)
        .where(
            LedgerEntry.chain_id == chain_id,
            LedgerEntry.block > after_block,
            ~LedgerEntry.reversal,
            ~sa.exists().where(
                reversed_.reversal,
                *(
                    getattr(reversed_, name) == getattr(LedgerEntry, name)
                    for name in ("chain_id", "block_hash", "log_index", "turn")
                ),
            ),
        )
        .order_by(LedgerEntry.number.desc())
    )
    rows = session.scalars(standing).all()
    for row in rows:
        _append(session, entry_of(session, row).reversed(), row.turn)
    return len(rows)


def standing_entries(session: Session) -> list[LedgerEntry]:
    """The entries that were not taken back, in the order of the chain."""
    gone = sa.select(
        LedgerEntry.chain_id, LedgerEntry.block_hash, LedgerEntry.log_index, LedgerEntry.turn
    ).where(LedgerEntry.reversal)
    taken = {tuple(row) for row in session.execute(gone)}
    rows = session.scalars(
        sa.select(LedgerEntry)
        .where(~LedgerEntry.reversal)
        .order_by(LedgerEntry.chain_id, LedgerEntry.block, LedgerEntry.log_index)
    )
    return [
        row for row in rows if (row.chain_id, row.block_hash, row.log_index, row.turn) not in taken
    ]


def entry_of(session: Session, row: LedgerEntry) -> Entry:
    """An entry as `metering` has it."""
    place = Place(
        chain_id=row.chain_id,
        block=row.block,
        block_hash=row.block_hash,
        log_index=row.log_index,
        transaction=row.transaction,
    )
    return Entry(place, row.what, postings_of(session, row.number), row.turn, row.reversal)


def postings_of(session: Session, number: int) -> tuple[Posting, ...]:
    """The postings of an entry, by account."""
    rows = session.scalars(sa.select(LedgerPosting).where(LedgerPosting.entry == number))
    found = [Posting(Account.parse(row.account), row.amount_wei) for row in rows]
    return tuple(sorted(found, key=lambda each: str(each.account)))


def recount(session: Session) -> Mapping[str, tuple[int, int]]:
    """Adds all postings up again; account to (kept, counted), where the two differ."""
    counted: dict[str, int] = {}
    for account, wei in session.execute(sa.select(LedgerPosting.account, LedgerPosting.amount_wei)):
        counted[account] = counted.get(account, 0) + wei
    kept = {row.account: row.balance_wei for row in session.scalars(sa.select(LedgerBalance))}
    return {
        account: (kept.get(account, 0), counted.get(account, 0))
        for account in sorted(kept.keys() | counted.keys())
        if kept.get(account, 0) != counted.get(account, 0)
    }


def _append(session: Session, entry: Entry, turn: int) -> None:
    number = (session.scalar(sa.select(sa.func.max(LedgerEntry.number))) or 0) + 1
    # The entry closes its postings, so they come first: see the triggers of the migration.
    session.execute(
        sa.insert(LedgerPosting),
        [
            {"entry": number, "account": str(each.account), "amount_wei": each.amount_wei}
            for each in entry.postings
        ],
    )
    place = entry.place
    session.execute(
        sa.insert(LedgerEntry).values(
            number=number,
            chain_id=place.chain_id,
            block=place.block,
            block_hash=place.block_hash,
            log_index=place.log_index,
            transaction=place.transaction,
            turn=turn,
            reversal=entry.reversal,
            what=entry.what,
        )
    )
    for posting in entry.postings:
        kept = session.get(LedgerBalance, str(posting.account))
        if kept is None:
            session.add(LedgerBalance(account=str(posting.account), balance_wei=posting.amount_wei))
        else:
            kept.balance_wei += posting.amount_wei
    session.flush()


def _same_event(place: Place) -> tuple[sa.ColumnElement[bool], ...]:
    return (
        LedgerEntry.chain_id == place.chain_id,
        LedgerEntry.block_hash == place.block_hash,
        LedgerEntry.log_index == place.log_index,
    )
