"""What the parties of an agreement in force decide: amendments, motions, votes."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column, relationship

from marketplace.storage.models.base import ADDRESS, HASH, TOKEN, Base
from marketplace.storage.models.operations import Operation


class AgreementVersion(Base):
    """One version of an agreement: the first, or an amendment that was offered for signature.

    Several amendments of one version may be offered; the first that all have signed wins.
    """

    __tablename__ = "agreement_versions"

    hash: Mapped[str] = mapped_column(HASH, primary_key=True)
    agreement_id: Mapped[str] = mapped_column(sa.ForeignKey("agreements.id"), index=True)
    version: Mapped[int] = mapped_column(sa.Integer)
    title: Mapped[str] = mapped_column(sa.String(160))
    fields: Mapped[dict[str, Any]]
    document: Mapped[str] = mapped_column(sa.Text)
    message: Mapped[dict[str, Any]]
    offered_by: Mapped[str] = mapped_column(ADDRESS)
    created_s: Mapped[int]
    withdrawn_s: Mapped[int | None]
    operation_id: Mapped[str | None] = mapped_column(sa.ForeignKey("operations.id"))
    signatures: Mapped[list[VersionSignature]] = relationship(
        order_by="VersionSignature.party", lazy="selectin"
    )
    operation: Mapped[Operation | None] = relationship(lazy="joined")


class VersionSignature(Base):
    """A party's signature under an amendment."""

    __tablename__ = "version_signatures"

    hash: Mapped[str] = mapped_column(sa.ForeignKey("agreement_versions.hash"), primary_key=True)
    party: Mapped[int] = mapped_column(sa.Integer, primary_key=True, autoincrement=False)
    signature: Mapped[str] = mapped_column(sa.Text)
    signed_s: Mapped[int]


class Motion(Base):
    """Something to vote on: `message` is what is signed, a Motion or a Pardon."""

    __tablename__ = "motions"

    id: Mapped[str] = mapped_column(TOKEN, primary_key=True)
    agreement_id: Mapped[str] = mapped_column(sa.ForeignKey("agreements.id"), index=True)
    action: Mapped[str] = mapped_column(sa.String(16))
    run_id: Mapped[str | None] = mapped_column(HASH)
    message: Mapped[dict[str, Any]]
    reason: Mapped[str] = mapped_column(sa.Text)
    proposed_by: Mapped[str] = mapped_column(ADDRESS)
    created_s: Mapped[int]
    withdrawn_s: Mapped[int | None]
    operation_id: Mapped[str | None] = mapped_column(sa.ForeignKey("operations.id"))
    votes: Mapped[list[MotionVote]] = relationship(order_by="MotionVote.party", lazy="selectin")
    operation: Mapped[Operation | None] = relationship(lazy="joined")


class MotionVote(Base):
    """A party's signature in favor."""

    __tablename__ = "motion_votes"

    motion_id: Mapped[str] = mapped_column(sa.ForeignKey("motions.id"), primary_key=True)
    party: Mapped[int] = mapped_column(sa.Integer, primary_key=True, autoincrement=False)
    signature: Mapped[str] = mapped_column(sa.Text)
    signed_s: Mapped[int]
