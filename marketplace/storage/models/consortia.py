"""How agreements come about: drafts in negotiation, invitations, admitted organizations."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from marketplace.storage.models.base import ADDRESS, HASH, TOKEN, Base


class Negotiation(Base):
    """A draft that people work on until its last version is offered for signature.

    `offered_hash` is the struct hash of what was offered: the id of an agreement, or, where
    `amends` names one, of an amendment.
    """

    __tablename__ = "negotiations"
    __table_args__ = (
        sa.CheckConstraint("state IN ('open', 'offered', 'withdrawn')", name="state"),
    )

    id: Mapped[str] = mapped_column(TOKEN, primary_key=True)
    title: Mapped[str] = mapped_column(sa.String(160))
    amends: Mapped[str | None] = mapped_column(sa.ForeignKey("agreements.id"), index=True)
    state: Mapped[str] = mapped_column(sa.String(16))
    offered_hash: Mapped[str | None] = mapped_column(HASH, index=True)
    started_by: Mapped[str] = mapped_column(ADDRESS, index=True)
    created_s: Mapped[int]
    updated_s: Mapped[int]


class DraftSeat(Base):
    """A party of a draft's last version; its wallet, once that is named, sees the draft."""

    __tablename__ = "negotiation_seats"

    negotiation_id: Mapped[str] = mapped_column(sa.ForeignKey("negotiations.id"), primary_key=True)
    organization: Mapped[str] = mapped_column(sa.String(63), primary_key=True)
    wallet: Mapped[str | None] = mapped_column(ADDRESS, index=True)


class DraftVersion(Base):
    """What somebody proposed. Never changed, never deleted."""

    __tablename__ = "draft_versions"

    negotiation_id: Mapped[str] = mapped_column(sa.ForeignKey("negotiations.id"), primary_key=True)
    number: Mapped[int] = mapped_column(sa.Integer, primary_key=True, autoincrement=False)
    proposal: Mapped[dict[str, Any]]
    draft: Mapped[dict[str, Any]]
    document: Mapped[str] = mapped_column(sa.Text)
    document_sha256: Mapped[str] = mapped_column(HASH)
    open_items: Mapped[list[Any]]
    note: Mapped[str] = mapped_column(sa.Text)
    author: Mapped[str] = mapped_column(ADDRESS)
    created_s: Mapped[int]


class Comment(Base):
    """What somebody said about a version."""

    __tablename__ = "draft_comments"

    id: Mapped[int] = mapped_column(
        sa.BigInteger().with_variant(sa.Integer(), "sqlite"), primary_key=True
    )
    negotiation_id: Mapped[str] = mapped_column(sa.ForeignKey("negotiations.id"), index=True)
    version: Mapped[int] = mapped_column(sa.Integer)
    text: Mapped[str] = mapped_column(sa.Text)
    author: Mapped[str] = mapped_column(ADDRESS)
    created_s: Mapped[int]


class Invitation(Base):
    """The right to take a party's seat once; only the hash of its secret is kept."""

    __tablename__ = "invitations"

    secret_hash: Mapped[str] = mapped_column(TOKEN, primary_key=True)
    id: Mapped[str] = mapped_column(TOKEN, unique=True)
    negotiation_id: Mapped[str] = mapped_column(sa.ForeignKey("negotiations.id"), index=True)
    organization: Mapped[str] = mapped_column(sa.String(63))
    created_by: Mapped[str] = mapped_column(ADDRESS)
    created_s: Mapped[int]
    expires_s: Mapped[int]
    revoked_s: Mapped[int | None]
    used_by: Mapped[str | None] = mapped_column(ADDRESS)
    used_s: Mapped[int | None]


class Admission(Base):
    """An organization that an admin vouches for: this name here is this wallet's."""

    __tablename__ = "admissions"

    organization: Mapped[str] = mapped_column(sa.String(63), primary_key=True)
    wallet: Mapped[str] = mapped_column(ADDRESS, unique=True)
    admitted_by: Mapped[str] = mapped_column(ADDRESS)
    created_s: Mapped[int]


class AdmittedAgreement(Base):
    """An agreement that this marketplace posts for and issues certificates under."""

    __tablename__ = "admitted_agreements"

    agreement_id: Mapped[str] = mapped_column(sa.ForeignKey("agreements.id"), primary_key=True)
    admitted_by: Mapped[str] = mapped_column(ADDRESS)
    created_s: Mapped[int]
