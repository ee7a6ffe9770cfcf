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
    agreement_id: Mapped[str | None] = mapped_column(HASH, index=True)
    run_id: Mapped[str | None] = mapped_column(HASH, index=True)
    data: Mapped[dict[str, Any]]


class Round(Base):
    """A sealed round."""

    __tablename__ = "rounds"
    __table_args__ = ({"info": UNRECORDED},)

    event_id: Mapped[int] = mapped_column(
        sa.ForeignKey("events.id", ondelete="CASCADE"), primary_key=True, autoincrement=False
    )
    run_id: Mapped[str] = mapped_column(HASH, index=True)
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
    event: Mapped[Event] = relationship(lazy="joined")


class Credit(Base):
    """What a round's settlement credited to one organization."""

    __tablename__ = "credits"
    __table_args__ = ({"info": UNRECORDED},)

    event_id: Mapped[int] = mapped_column(
        sa.ForeignKey("events.id", ondelete="CASCADE"), primary_key=True, autoincrement=False
    )
    party: Mapped[int] = mapped_column(sa.Integer, primary_key=True, autoincrement=False)
    run_id: Mapped[str] = mapped_column(HASH, index=True)
    round: Mapped[int] = mapped_column(sa.Integer)
    share_bips: Mapped[int] = mapped_column(sa.Integer)
    amount_wei: Mapped[int] = mapped_column(Wei)
