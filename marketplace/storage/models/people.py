"""People who sign in."""

from __future__ import annotations

from sqlalchemy.orm import Mapped, mapped_column

from marketplace.storage.models.base import ADDRESS, TOKEN, Base


class Challenge(Base):
    """A sign-in message that was handed out and not yet used."""

    __tablename__ = "challenges"

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
