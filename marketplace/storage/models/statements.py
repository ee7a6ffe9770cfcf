"""The table of statements that were made of periods that are over."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from marketplace.storage.changes import UNRECORDED
from marketplace.storage.models.base import ADDRESS, HASH, TOKEN, Base


class KeptStatement(Base):
    """A signed statement, as it was handed out first.

    Attributes:
        id: hash of whose it is, of what period, and by whom it is signed; see `money.archive`.
        wallet: that the organization had first.
        last_block_hash: while the chain has this block, the statement stands.
        data: the file.
        run_names: ids of its runs to their names.
    """

    __tablename__ = "kept_statements"
    __table_args__ = (
        sa.Index("ix_kept_statements_wallet_made_s", "wallet", "made_s"),
        {"info": UNRECORDED},
    )

    id: Mapped[str] = mapped_column(TOKEN, primary_key=True)
    wallet: Mapped[str] = mapped_column(ADDRESS)
    last_block: Mapped[int]
    last_block_hash: Mapped[str] = mapped_column(HASH)
    data: Mapped[str] = mapped_column(sa.Text)
    run_names: Mapped[dict[str, Any]]
    made_s: Mapped[int]
