"""The tables of what is announced, to whom it is to be told, and how that went."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from marketplace.storage.changes import UNRECORDED
from marketplace.storage.models.base import ADDRESS, HASH, TOKEN, Base

_NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


class Announcement(Base):
    """Something that people want to be told. A row is never deleted.

    Attributes:
        key: names what happened, the same for the same on any branch of the chain.
        from_chain: whether it follows from events alone, and so comes back with a rebuilt index.
        block: of the event; none where time alone brought it about.
        withdrawn: a reorganization took the event away, and it has not come back.
    """

    __tablename__ = "announcements"
    __table_args__ = ({"info": UNRECORDED},)

    number: Mapped[int] = mapped_column(_NUMBER, primary_key=True)
    key: Mapped[str] = mapped_column(sa.String(240), unique=True)
    kind: Mapped[str] = mapped_column(sa.String(24))
    agreement_id: Mapped[str] = mapped_column(HASH, index=True)
    run_id: Mapped[str | None] = mapped_column(HASH)
    party: Mapped[int | None] = mapped_column(sa.Integer)
    time_s: Mapped[int]
    block: Mapped[int | None] = mapped_column(index=True)
    from_chain: Mapped[bool]
    withdrawn: Mapped[bool]
    data: Mapped[dict[str, Any]]


class Webhook(Base):
    """Where somebody wants to be told; the secret is derived, not kept: see `money.webhooks`."""

    __tablename__ = "webhooks"

    id: Mapped[str] = mapped_column(TOKEN, primary_key=True)
    wallet: Mapped[str] = mapped_column(ADDRESS, index=True)  # whose it is
    url: Mapped[str] = mapped_column(sa.String(2048))
    kinds: Mapped[list[Any]]  # empty: all
    created_s: Mapped[int]
    stopped: Mapped[bool]  # the receiver said that it is gone


class Delivery(Base):
    """One announcement to be told at one place: an outbox. `id` is the same in every attempt.

    waiting -> delivered | failed
    """

    __tablename__ = "deliveries"
    __table_args__ = (
        sa.UniqueConstraint("webhook_id", "announcement"),
        sa.CheckConstraint("state IN ('waiting', 'delivered', 'failed')", name="state"),
        {"info": UNRECORDED},
    )

    id: Mapped[str] = mapped_column(TOKEN, primary_key=True)
    webhook_id: Mapped[str] = mapped_column(
        sa.ForeignKey("webhooks.id", ondelete="CASCADE"), index=True
    )
    announcement: Mapped[int] = mapped_column(sa.ForeignKey("announcements.number"))
    state: Mapped[str] = mapped_column(sa.String(16), index=True)
    attempts: Mapped[int] = mapped_column(sa.Integer)
    next_s: Mapped[int]  # not before; while it is being sent: when another process may take it up
    status: Mapped[int | None] = mapped_column(sa.Integer)  # of the last answer
    error: Mapped[str | None] = mapped_column(sa.Text)
    created_s: Mapped[int]
