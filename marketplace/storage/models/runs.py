"""What people write down about their runs."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from marketplace.storage.models.base import ADDRESS, HASH, Base


class RunNote(Base):
    """What an experiment was about. The run itself, its terms and results are the chain's."""

    __tablename__ = "run_notes"

    run_id: Mapped[str] = mapped_column(HASH, primary_key=True)
    project: Mapped[str] = mapped_column(sa.String(80), index=True)
    description: Mapped[str] = mapped_column(sa.Text)
    tags: Mapped[list[Any]]
    hyperparameters: Mapped[dict[str, Any]]
    updated_by: Mapped[str] = mapped_column(ADDRESS)
    updated_s: Mapped[int]
