"""The audit trail: who changed what, when, each entry bound to the one before."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from marketplace.storage.changes import UNRECORDED
from marketplace.storage.models.base import HASH, TOKEN, Base


class TrailEntry(Base):
    """One transaction that changed something. Rows are never changed or deleted."""

    __tablename__ = "trail"
    __table_args__ = ({"info": UNRECORDED},)

    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    at_s: Mapped[int]
    who: Mapped[str] = mapped_column(sa.String(200))
    what: Mapped[str] = mapped_column(sa.String(200))
    changes: Mapped[list[Any]]  # [[verb, table, key, sha256], …]
    previous: Mapped[str] = mapped_column(TOKEN)
    hash: Mapped[str] = mapped_column(TOKEN)


class Anchor(Base):
    """The hash of a trail entry, written on chain."""

    __tablename__ = "anchors"
    __table_args__ = ({"info": UNRECORDED},)

    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    hash: Mapped[str] = mapped_column(TOKEN)
    transaction: Mapped[str] = mapped_column(HASH)
    block: Mapped[int]
    at_s: Mapped[int]
