"""Rights to run the software."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from marketplace.storage.models.base import ADDRESS, SPIFFE_ID, TOKEN, Base


class Lease(Base):
    """A seat that a node holds, from check-out to check-in or until it lapses.

    It is `live` until `live_until_s`: what was last signed for it may be used until then, for all
    that is known here.
    """

    __tablename__ = "leases"

    id: Mapped[str] = mapped_column(TOKEN, primary_key=True)
    holder: Mapped[str] = mapped_column(sa.ForeignKey("enrollments.id"), index=True)
    spiffe_id: Mapped[str] = mapped_column(SPIFFE_ID, index=True)
    organization: Mapped[str] = mapped_column(sa.String(63), index=True)
    features: Mapped[list[Any]]
    issued_s: Mapped[int]
    expires_s: Mapped[int]
    live_until_s: Mapped[int] = mapped_column(index=True)
    exported_by: Mapped[str | None] = mapped_column(ADDRESS)  # who took it out as a file
    ended_s: Mapped[int | None]  # since when it is not renewed


class SeatLimit(Base):
    """How many nodes of an organization may use a feature at the same time."""

    __tablename__ = "seats"

    organization: Mapped[str] = mapped_column(sa.String(63), primary_key=True)
    feature: Mapped[str] = mapped_column(sa.String(63), primary_key=True)
    count: Mapped[int] = mapped_column(sa.Integer)
    until_s: Mapped[int | None]
    set_by: Mapped[str] = mapped_column(ADDRESS)
    set_s: Mapped[int]
