"""Rights to run the software."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from marketplace.storage.models.base import SPIFFE_ID, TOKEN, Base


class Lease(Base):
    """A signed right to run the software."""

    __tablename__ = "leases"

    id: Mapped[str] = mapped_column(TOKEN, primary_key=True)
    spiffe_id: Mapped[str] = mapped_column(SPIFFE_ID, index=True)
    organization: Mapped[str] = mapped_column(sa.String(63))
    features: Mapped[list[Any]]
    issued_s: Mapped[int]
    expires_s: Mapped[int]
