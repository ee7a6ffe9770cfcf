"""Nodes: how they get in, what they say about themselves."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column, relationship

from marketplace.storage.changes import UNRECORDED
from marketplace.storage.models.agreements import Party
from marketplace.storage.models.base import ADDRESS, HASH, SPIFFE_ID, TOKEN, Base
from marketplace.storage.models.operations import Operation
from marketplace.storage.types import Total


class EnrollmentToken(Base):
    """The right to enroll one node once; only the hash of its secret is kept."""

    __tablename__ = "enrollment_tokens"
    __table_args__ = (
        sa.ForeignKeyConstraint(
            ["agreement_id", "party"], ["parties.agreement_id", "parties.number"]
        ),
    )

    secret_hash: Mapped[str] = mapped_column(TOKEN, primary_key=True)
    agreement_id: Mapped[str] = mapped_column(HASH)
    party: Mapped[int] = mapped_column(sa.Integer)
    node: Mapped[str] = mapped_column(sa.String(63))
    created_by: Mapped[str] = mapped_column(ADDRESS)
    created_s: Mapped[int]
    expires_s: Mapped[int]


class Enrollment(Base):
    """A node that used its token: what it asked for, and the signatures gathered so far."""

    __tablename__ = "enrollments"
    __table_args__ = (
        sa.ForeignKeyConstraint(
            ["agreement_id", "party"], ["parties.agreement_id", "parties.number"]
        ),
    )

    id: Mapped[str] = mapped_column(TOKEN, primary_key=True)
    token_hash: Mapped[str] = mapped_column(
        sa.ForeignKey("enrollment_tokens.secret_hash"), unique=True
    )
    agreement_id: Mapped[str] = mapped_column(HASH)
    party: Mapped[int] = mapped_column(sa.Integer)
    spiffe_id: Mapped[str] = mapped_column(SPIFFE_ID, index=True)
    key: Mapped[str] = mapped_column(ADDRESS)
    csr_hash: Mapped[str] = mapped_column(TOKEN)
    svid_pem: Mapped[str] = mapped_column(sa.Text)
    svid_expires_s: Mapped[int]
    message: Mapped[dict[str, Any]]
    key_signature: Mapped[str | None] = mapped_column(sa.Text)
    wallet_signature: Mapped[str | None] = mapped_column(sa.Text)
    operation_id: Mapped[str | None] = mapped_column(sa.ForeignKey("operations.id"))
    created_s: Mapped[int]
    owner: Mapped[Party] = relationship(lazy="joined", viewonly=True)
    operation: Mapped[Operation | None] = relationship(lazy="joined")
    rejection: Mapped[Rejection | None] = relationship(lazy="joined", viewonly=True)


class Rejection(Base):
    """An enrollment that its owner does not want."""

    __tablename__ = "rejections"

    enrollment_id: Mapped[str] = mapped_column(sa.ForeignKey("enrollments.id"), primary_key=True)
    rejected_by: Mapped[str] = mapped_column(ADDRESS)
    reason: Mapped[str] = mapped_column(sa.Text)
    created_s: Mapped[int]


class Certificate(Base):
    """What the built-in certificate authority issued to nodes."""

    __tablename__ = "certificates"

    serial: Mapped[str] = mapped_column(sa.String(40), primary_key=True)
    spiffe_id: Mapped[str] = mapped_column(SPIFFE_ID, index=True)
    spki_hash: Mapped[str] = mapped_column(TOKEN)
    enrollment_id: Mapped[str] = mapped_column(sa.ForeignKey("enrollments.id"))
    issued_s: Mapped[int]
    expires_s: Mapped[int]


class NodeStatus(Base):
    """The last thing a node said about itself. Shown, never trusted for money."""

    __tablename__ = "node_status"
    __table_args__ = ({"info": UNRECORDED},)  # said anew every minute

    spiffe_id: Mapped[str] = mapped_column(SPIFFE_ID, primary_key=True)
    received_s: Mapped[int]
    status: Mapped[dict[str, Any]]


class UsageReport(Base):
    """What a round cost a node, as it signed it. Shown, never paid by.

    The columns up to `energy_j` are the fields of `metering.usage.Usage`, but for `spiffe_id`, its
    `node`; `key` is the address that signed, the one enrolled on chain at the time.
    """

    __tablename__ = "usage_reports"

    run_id: Mapped[str] = mapped_column(HASH, primary_key=True)
    round: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    spiffe_id: Mapped[str] = mapped_column(SPIFFE_ID, primary_key=True)
    bytes_served: Mapped[int]
    bytes_fetched: Mapped[int]
    training_ms: Mapped[int]
    evaluation_ms: Mapped[int]
    merge_ms: Mapped[int]
    samples: Mapped[int]
    restarts: Mapped[int]
    energy_j: Mapped[int | None]
    key: Mapped[str] = mapped_column(ADDRESS)
    signature: Mapped[str] = mapped_column(sa.Text)
    received_s: Mapped[int]


class UsageTotal(Base):
    """What a node's reports on a run come to: kept with them, so that nobody adds up years.

    The columns from `reports` on are the fields of `metering.usage.UsageSum`.
    """

    __tablename__ = "usage_totals"
    __table_args__ = ({"info": UNRECORDED},)  # the reports are

    run_id: Mapped[str] = mapped_column(HASH, primary_key=True)
    spiffe_id: Mapped[str] = mapped_column(SPIFFE_ID, primary_key=True)
    reports: Mapped[int]
    bytes_served: Mapped[int] = mapped_column(Total)
    bytes_fetched: Mapped[int] = mapped_column(Total)
    training_ms: Mapped[int] = mapped_column(Total)
    evaluation_ms: Mapped[int] = mapped_column(Total)
    merge_ms: Mapped[int] = mapped_column(Total)
    samples: Mapped[int] = mapped_column(Total)
    restarts: Mapped[int] = mapped_column(Total)
    energy_j: Mapped[int | None] = mapped_column(Total)
    energy_reports: Mapped[int]
