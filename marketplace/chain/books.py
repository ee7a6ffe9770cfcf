"""The books in the database: what `metering.ledger` says, kept as rows.

Every function runs in the transaction that stores the events, under the lock of the index: one
writer at a time.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

import sqlalchemy as sa
from sqlalchemy.orm import Session

from marketplace.errors import MarketError
from marketplace.storage.models.ledger import LedgerBalance, LedgerEntry, LedgerPosting
from metering.errors import MeteringError
from metering.ledger import Account, Entry, Fact, Place, Posting, rate

# Rows of these tables are not held as objects: nothing has to be brought in line.
_PLAIN: Final = {"synchronize_session": False}


class LedgerMismatch(MarketError):
    """What we computed from an event differs from what the contract said it credited."""

    code = "ledger-mismatch"


def balance_wei(session: Session, account: Account) -> int:
    """What an account holds; zero if it was never used."""
    return _kept(session).get(session, str(account))


def balances(session: Session) -> dict[Account, int]:
    """All accounts that are not at zero."""
    rows = session.execute(
        sa.select(LedgerBalance.account, LedgerBalance.balance_wei).order_by(LedgerBalance.account)
    )
    return {Account.parse(account): wei for account, wei in rows if wei}


def balances_of(session: Session, accounts: Iterable[Account]) -> dict[Account, int]:
    """What these accounts hold; those that were never used are left out."""
    named = {str(each): each for each in accounts}
    rows = session.execute(
        sa.select(LedgerBalance.account, LedgerBalance.balance_wei).where(
            LedgerBalance.account.in_(named)
        )
    )
    return {named[account]: wei for account, wei in rows}


def enter(session: Session, fact: Fact) -> Entry:
    """Enters what an event moved. To be followed by `save` in the same transaction.

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
    save(session)
    return len(rows)


def save(session: Session) -> None:
    """Writes the balances that the entries of this transaction changed."""
    _kept(session).save(session)


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
    kept = _kept(session)
    number = kept.next_number(session)
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
        kept.add(session, str(posting.account), posting.amount_wei)


class _Kept:
    """Balances that a transaction looked at or changed, so that each is read and written once."""

    def __init__(self) -> None:
        self._balances: dict[str, int] = {}
        self._known: set[str] = set()  # that have a row
        self._changed: set[str] = set()
        self._number: int | None = None

    def get(self, session: Session, account: str) -> int:
        if account not in self._balances:
            query = sa.select(LedgerBalance.balance_wei).where(LedgerBalance.account == account)
            found = session.scalar(query)
            if found is not None:
                self._known.add(account)
            self._balances[account] = found or 0
        return self._balances[account]

    def add(self, session: Session, account: str, wei: int) -> None:
        self._balances[account] = self.get(session, account) + wei
        self._changed.add(account)

    def next_number(self, session: Session) -> int:
        if self._number is None:
            self._number = session.scalar(sa.select(sa.func.max(LedgerEntry.number))) or 0
        self._number += 1
        return self._number

    def save(self, session: Session) -> None:
        for account in sorted(self._changed):
            values = {"balance_wei": self._balances[account]}
            if account in self._known:
                changed = sa.update(LedgerBalance).where(LedgerBalance.account == account)
                session.execute(changed.values(values), execution_options=_PLAIN)
            else:
                session.execute(sa.insert(LedgerBalance).values(account=account, **values))
        self._known |= self._changed
        self._changed.clear()


def _kept(session: Session) -> _Kept:
    kept: _Kept = session.info.setdefault("books", _Kept())
    return kept


def _same_event(place: Place) -> tuple[sa.ColumnElement[bool], ...]:
    return (
        LedgerEntry.chain_id == place.chain_id,
        LedgerEntry.block_hash == place.block_hash,
        LedgerEntry.log_index == place.log_index,
    )
