"""Agreements, and who takes part in them."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column, relationship

from marketplace.storage.models.base import ADDRESS, HASH, Base


class Agreement(Base):
    """A drafted agreement: its text, the message that stands for it, and who signed."""

    __tablename__ = "agreements"

    id: Mapped[str] = mapped_column(HASH, primary_key=True)
    title: Mapped[str] = mapped_column(sa.String(160))
    fields: Mapped[dict[str, Any]]
    document: Mapped[str] = mapped_column(sa.Text)
    message: Mapped[dict[str, Any]]
    drafted_by: Mapped[str] = mapped_column(ADDRESS)
    created_s: Mapped[int]
    parties: Mapped[list[Party]] = relationship(order_by="Party.number", lazy="selectin")


class Party(Base):
    __tablename__ = "parties"
    __table_args__ = (
        sa.UniqueConstraint("agreement_id", "organization"),
        sa.UniqueConstraint("agreement_id", "wallet"),
    )

    agreement_id: Mapped[str] = mapped_column(sa.ForeignKey("agreements.id"), primary_key=True)
    number: Mapped[int] = mapped_column(sa.Integer, primary_key=True, autoincrement=False)
    organization: Mapped[str] = mapped_column(sa.String(63))
    wallet: Mapped[str] = mapped_column(ADDRESS, index=True)
    weight: Mapped[int] = mapped_column(sa.Integer)
    signature: Mapped[str | None] = mapped_column(sa.Text)
    signed_s: Mapped[int | None]


# Lists show no texts, which are the largest part of an agreement.
WITHOUT_TEXT = (sa.orm.defer(Agreement.document), sa.orm.defer(Agreement.fields))
