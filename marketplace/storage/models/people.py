"""People, and the programs that act for them."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from marketplace.storage.changes import UNRECORDED
from marketplace.storage.models.base import ADDRESS, TOKEN, Base


class Challenge(Base):
    """A sign-in message that was handed out and not yet used."""

    __tablename__ = "challenges"
    __table_args__ = ({"info": UNRECORDED},)

    message_hash: Mapped[str] = mapped_column(TOKEN, primary_key=True)
    address: Mapped[str] = mapped_column(ADDRESS)
    expires_s: Mapped[int]


class SignIn(Base):
    """A session; only the hash of its token is kept."""

    __tablename__ = "sign_ins"

    token_hash: Mapped[str] = mapped_column(TOKEN, primary_key=True)
    address: Mapped[str] = mapped_column(ADDRESS)
    created_s: Mapped[int]
    expires_s: Mapped[int]


class ApiToken(Base):
    """What a program of somebody's shows instead of a session; only its hash is kept."""

    __tablename__ = "api_tokens"

    id: Mapped[str] = mapped_column(TOKEN, primary_key=True)
    secret_hash: Mapped[str] = mapped_column(TOKEN, unique=True)
    wallet: Mapped[str] = mapped_column(ADDRESS, index=True)
    name: Mapped[str] = mapped_column(sa.String(63))
    scopes: Mapped[list[Any]]
    created_s: Mapped[int]
    expires_s: Mapped[int]
    revoked_s: Mapped[int | None]


class Member(Base):
    """Somebody who may act, or look, for the wallet of an organization."""

    __tablename__ = "members"
    __table_args__ = (sa.CheckConstraint("role IN ('operator', 'auditor')", name="role"),)

    owner: Mapped[str] = mapped_column(ADDRESS, primary_key=True)
    wallet: Mapped[str] = mapped_column(ADDRESS, primary_key=True, index=True)
    role: Mapped[str] = mapped_column(sa.String(16))
    created_s: Mapped[int]


class Retry(Base):
    """A request with an idempotency key, and its answer once there is one.

    `key` is the hash of caller and key, `request` that of what was asked.
    """

    __tablename__ = "retries"
    __table_args__ = ({"info": UNRECORDED},)

    key: Mapped[str] = mapped_column(TOKEN, primary_key=True)
    request: Mapped[str] = mapped_column(TOKEN)
    started_s: Mapped[int] = mapped_column(index=True)
    status: Mapped[int | None] = mapped_column(sa.Integer)
    content_type: Mapped[str | None] = mapped_column(sa.String(100))
    body: Mapped[str | None] = mapped_column(sa.Text)
