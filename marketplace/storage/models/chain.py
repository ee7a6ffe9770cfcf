"""What was read from the chain.

`events` is the record; `rounds` and `credits` are derived from single events and vanish with them
when a reorganization takes their block away.
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column, relationship

from marketplace.storage.changes import UNRECORDED
from marketplace.storage.models.base import HASH, Base
from marketplace.storage.types import Wei


class Cursor(Base):
    """How far the chain was read: `block` with this hash is the last one that was."""

    __tablename__ = "cursors"
    __table_args__ = ({"info": UNRECORDED},)

    chain_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    block: Mapped[int]
    block_hash: Mapped[str] = mapped_column(HASH)


class Event(Base):
    """One event of our contracts, as read from a confirmed block."""

    __tablename__ = "events"
    __table_args__ = (
        sa.UniqueConstraint("chain_id", "block_hash", "log_index"),
        # What most look for: events of a kind, of one run or agreement, in the order of the chain.
        sa.Index("ix_events_run_id_kind_block_log_index", "run_id", "kind", "block", "log_index"),
        sa.Index(
            "ix_events_agreement_id_kind_block_log_index",
            *("agreement_id", "kind", "block", "log_index"),
        ),
        sa.Index("ix_events_kind_block_log_index", "kind", "block", "log_index"),
        {"info": UNRECORDED},
    )

    # SQLite counts by itself only in a column of exactly this type.
    id: Mapped[int] = mapped_column(
        sa.BigInteger().with_variant(sa.Integer(), "sqlite"), primary_key=True
    )
    chain_id: Mapped[int]
    block: Mapped[int] = mapped_column(index=True)
    block_hash: Mapped[str] = mapped_column(HASH)
    log_index: Mapped[int] = mapped_column(sa.Integer)
    transaction: Mapped[str] = mapped_column(HASH)
    kind: Mapped[str] = mapped_column(sa.String(40))
    agreement_id: Mapped[str | None] = mapped_column(HASH)
    run_id: Mapped[str | None] = mapped_column(HASH)
    data: Mapped[dict[str, Any]]


class Round(Base):
    """A sealed round.

    `paid` is the set of the parties in `shares`, as in `contracts.parties`; the 64th of them is the
    sign. It says in one number what sums over many rounds need to know of them.
    """

    __tablename__ = "rounds"
    __table_args__ = (
        sa.Index("ix_rounds_run_id_number", "run_id", "number"),
        {"info": UNRECORDED},
    )

    event_id: Mapped[int] = mapped_column(
        sa.ForeignKey("events.id", ondelete="CASCADE"), primary_key=True, autoincrement=False
    )
    run_id: Mapped[str] = mapped_column(HASH)
    number: Mapped[int] = mapped_column(sa.Integer)
    term: Mapped[int]
    merged_root: Mapped[str] = mapped_column(HASH)
    loss_before_e9: Mapped[int]
    loss_after_e9: Mapped[int]
    metric_e9: Mapped[int]
    shares: Mapped[list[Any]]  # [[party, bips], …]
    rejects: Mapped[list[Any]]  # [[registration, reason], …]
    signers: Mapped[list[Any]]  # registrations
    credited_wei: Mapped[int] = mapped_column(Wei)
    paid: Mapped[int]
    event: Mapped[Event] = relationship(lazy="joined")


class Credit(Base):
    """What a round's settlement credited to one organization."""

    __tablename__ = "credits"
    __table_args__ = (
        sa.Index("ix_credits_run_id_party_round", "run_id", "party", "round"),
        sa.Index("ix_credits_run_id_round_party", "run_id", "round", "party"),
        {"info": UNRECORDED},
    )

    event_id: Mapped[int] = mapped_column(
        sa.ForeignKey("events.id", ondelete="CASCADE"), primary_key=True, autoincrement=False
    )
    party: Mapped[int] = mapped_column(sa.Integer, primary_key=True, autoincrement=False)
    run_id: Mapped[str] = mapped_column(HASH)
    round: Mapped[int] = mapped_column(sa.Integer)
    share_bips: Mapped[int] = mapped_column(sa.Integer)
    amount_wei: Mapped[int] = mapped_column(Wei)
