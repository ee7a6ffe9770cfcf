"""What is to be posted on chain."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from marketplace.storage.models.base import HASH, TOKEN, Base


class Operation(Base):
    """Something to post on chain: the outbox. A row is never deleted.

    queued -> sent -> confirmed | failed. `effect` names what the posting brings about; no two
    operations that have not failed may have the same.
    """

    __tablename__ = "operations"
    __table_args__ = (
        sa.Index(
            "uq_operations_effect",
            "effect",
            unique=True,
            sqlite_where=sa.text("state != 'failed'"),
            postgresql_where=sa.text("state != 'failed'"),
        ),
        sa.CheckConstraint("state IN ('queued', 'sent', 'confirmed', 'failed')", name="state"),
    )

    id: Mapped[str] = mapped_column(TOKEN, primary_key=True)
    kind: Mapped[str] = mapped_column(sa.String(16))
    effect: Mapped[str] = mapped_column(sa.String(200))
    agreement_id: Mapped[str] = mapped_column(sa.ForeignKey("agreements.id"))
    payload: Mapped[dict[str, Any]]
    state: Mapped[str] = mapped_column(sa.String(16), index=True)
    attempts: Mapped[int] = mapped_column(sa.Integer)
    transaction: Mapped[str | None] = mapped_column(HASH)
    posted_block: Mapped[int | None]  # that the transaction was seen in
    refused_block: Mapped[int | None]  # that the contracts refused in
    error: Mapped[str | None] = mapped_column(sa.Text)
    hint: Mapped[str | None] = mapped_column(sa.Text)
    result: Mapped[dict[str, Any] | None]
    retry_key: Mapped[str | None] = mapped_column(TOKEN, index=True)  # see `Retry`
    claimed_by: Mapped[str | None] = mapped_column(sa.String(64))  # who works on it
    claimed_until_s: Mapped[int | None]  # if nothing is heard of him
    created_s: Mapped[int]
    updated_s: Mapped[int]
