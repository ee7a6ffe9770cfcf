"""The tables of the books: double entry, appended and never changed.

An entry's postings are written first, and the entry closes them: the database itself (triggers, see
the migration) refuses an entry whose postings do not sum to zero, a posting to a closed entry, and
any change or deletion. What a reorganization took back is reversed by an entry of its own, so these
rows depend on no event.
"""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from marketplace.storage.changes import UNRECORDED
from marketplace.storage.models.base import HASH, Base
from marketplace.storage.types import SignedWei

ACCOUNT = sa.String(160)


class Block(Base):
    """A block that holds events of ours, and when it was made."""

    __tablename__ = "blocks"
    __table_args__ = ({"info": UNRECORDED},)

    chain_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    time_s: Mapped[int]


class RoundRow(Base):
    """What one organization measured of a round, under local metering."""

    __tablename__ = "round_rows"
    __table_args__ = (
        sa.Index("ix_round_rows_run_id_round", "run_id", "round"),
        {"info": UNRECORDED},
    )

    event_id: Mapped[int] = mapped_column(
        sa.ForeignKey("events.id", ondelete="CASCADE"), primary_key=True, autoincrement=False
    )
    run_id: Mapped[str] = mapped_column(HASH)
    round: Mapped[int] = mapped_column(sa.Integer)
    party: Mapped[int] = mapped_column(sa.Integer)
    registration: Mapped[int] = mapped_column(sa.Integer)
    loss_before_e9: Mapped[int | None]  # none: it has no data to measure on
    loss_after_e9: Mapped[int | None]
    metric_e9: Mapped[int]
    shares: Mapped[str] = mapped_column(sa.Text)  # 0x-hex, packed as in the event


class LedgerEntry(Base):
    """What one event moved, or the reversal of that; fields as in `metering.ledger.Entry`."""

    __tablename__ = "ledger_entries"
    __table_args__ = (
        sa.UniqueConstraint("chain_id", "block_hash", "log_index", "turn", "reversal"),
        {"info": UNRECORDED},
    )

    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    chain_id: Mapped[int]
    block: Mapped[int] = mapped_column(index=True)
    block_hash: Mapped[str] = mapped_column(HASH)
    log_index: Mapped[int] = mapped_column(sa.Integer)
    transaction: Mapped[str] = mapped_column(HASH)
    turn: Mapped[int] = mapped_column(sa.Integer)
    reversal: Mapped[bool]
    what: Mapped[str] = mapped_column(sa.Text)


class LedgerPosting(Base):
    """One account's part of an entry: received if positive, given if negative."""

    __tablename__ = "ledger_postings"
    __table_args__ = (
        sa.Index("ix_ledger_postings_account_entry", "account", "entry"),
        {"info": UNRECORDED},
    )

    # Checked when the transaction ends: postings come before the entry that closes them.
    entry: Mapped[int] = mapped_column(
        sa.ForeignKey("ledger_entries.number", deferrable=True, initially="DEFERRED"),
        primary_key=True,
        autoincrement=False,
    )
    account: Mapped[str] = mapped_column(ACCOUNT, primary_key=True)
    amount_wei: Mapped[int] = mapped_column(SignedWei)


class LedgerBalance(Base):
    """What the postings to an account come to: kept with them, so that nobody adds up years."""

    __tablename__ = "ledger_balances"
    __table_args__ = ({"info": UNRECORDED},)

    account: Mapped[str] = mapped_column(ACCOUNT, primary_key=True)
    balance_wei: Mapped[int] = mapped_column(SignedWei)
