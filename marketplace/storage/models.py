"""The tables. Times are Unix seconds, hashes and addresses 0x-hex, amounts wei.

Two halves: what people and nodes asked of this marketplace (its own records), and what it read
from the chain. Of the second half `events` is the record; `rounds` and `credits` are derived from
single events and vanish with them when a reorganization takes their block away.
"""

from __future__ import annotations

from typing import Any, ClassVar

import sqlalchemy as sa
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship

from marketplace.storage.types import Wei

HASH = sa.String(66)
ADDRESS = sa.String(42)
TOKEN = sa.String(64)
SPIFFE_ID = sa.String(2048)


class Base(DeclarativeBase):
    # Named constraints: migrations can only change what has a name.
    metadata = sa.MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
    type_annotation_map: ClassVar[Any] = {
        dict[str, Any]: sa.JSON(none_as_null=True),
        list[Any]: sa.JSON(none_as_null=True),
        int: sa.BigInteger,
    }


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


class Agreement(Base):
    """A drafted agreement: its text, the message that stands for it, and who signed."""

    __tablename__ = "agreements"

    id: Mapped[str] = mapped_column(HASH, primary_key=True)
    title: Mapped[str] = mapped_column(sa.String(160))
    fields: Mapped[dict[str, Any]]
    document: Mapped[str] = mapped_column(sa.Text)
    message: Mapped[dict[str, Any]]
    drafted_by: Mapped[str] = mapped_column(ADDRESS)
    created_s: Mapped[int]
    parties: Mapped[list[Party]] = relationship(order_by="Party.number", lazy="selectin")


class Party(Base):
    __tablename__ = "parties"
    __table_args__ = (
        sa.UniqueConstraint("agreement_id", "organization"),
        sa.UniqueConstraint("agreement_id", "wallet"),
    )

    agreement_id: Mapped[str] = mapped_column(sa.ForeignKey("agreements.id"), primary_key=True)
    number: Mapped[int] = mapped_column(sa.Integer, primary_key=True, autoincrement=False)
    organization: Mapped[str] = mapped_column(sa.String(63))
    wallet: Mapped[str] = mapped_column(ADDRESS, index=True)
    weight: Mapped[int] = mapped_column(sa.Integer)
    signature: Mapped[str | None] = mapped_column(sa.Text)
    signed_s: Mapped[int | None]


class Operation(Base):
    """Something to post on chain: the outbox. A row is never deleted.

    queued -> sent -> confirmed | failed. `effect` names what the posting brings about; no two
    operations that have not failed may have the same.
    """

    __tablename__ = "operations"
    __table_args__ = (
        sa.Index(
            "uq_operations_effect",
            "effect",
            unique=True,
            sqlite_where=sa.text("state != 'failed'"),
            postgresql_where=sa.text("state != 'failed'"),
        ),
        sa.CheckConstraint("state IN ('queued', 'sent', 'confirmed', 'failed')", name="state"),
    )

    id: Mapped[str] = mapped_column(TOKEN, primary_key=True)
    kind: Mapped[str] = mapped_column(sa.String(16))
    effect: Mapped[str] = mapped_column(sa.String(200))
    agreement_id: Mapped[str] = mapped_column(sa.ForeignKey("agreements.id"))
    payload: Mapped[dict[str, Any]]
    state: Mapped[str] = mapped_column(sa.String(16), index=True)
    attempts: Mapped[int] = mapped_column(sa.Integer)
    transaction: Mapped[str | None] = mapped_column(HASH)
    posted_block: Mapped[int | None]  # that the transaction was seen in
    refused_block: Mapped[int | None]  # that the contracts refused in
    error: Mapped[str | None] = mapped_column(sa.Text)
    hint: Mapped[str | None] = mapped_column(sa.Text)
    result: Mapped[dict[str, Any] | None]
    created_s: Mapped[int]
    updated_s: Mapped[int]


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
    operation: Mapped[Operation | None] = relationship(lazy="joined")


class Certificate(Base):
    """What the built-in certificate authority issued to nodes."""

    __tablename__ = "certificates"

    serial: Mapped[str] = mapped_column(sa.String(40), primary_key=True)
    spiffe_id: Mapped[str] = mapped_column(SPIFFE_ID, index=True)
    spki_hash: Mapped[str] = mapped_column(TOKEN)
    enrollment_id: Mapped[str] = mapped_column(sa.ForeignKey("enrollments.id"))
    issued_s: Mapped[int]
    expires_s: Mapped[int]


class Lease(Base):
    """A signed right to run the software."""

    __tablename__ = "leases"

    id: Mapped[str] = mapped_column(TOKEN, primary_key=True)
    spiffe_id: Mapped[str] = mapped_column(SPIFFE_ID, index=True)
    organization: Mapped[str] = mapped_column(sa.String(63))
    features: Mapped[list[Any]]
    issued_s: Mapped[int]
    expires_s: Mapped[int]


class NodeStatus(Base):
    """The last thing a node said about itself. Shown, never trusted for money."""

    __tablename__ = "node_status"

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


class Cursor(Base):
    """How far the chain was read: `block` with this hash is the last one that was."""

    __tablename__ = "cursors"

    chain_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    block: Mapped[int]
    block_hash: Mapped[str] = mapped_column(HASH)


class Event(Base):
    """One event of our contracts, as read from a confirmed block."""

    __tablename__ = "events"
    __table_args__ = (sa.UniqueConstraint("chain_id", "block_hash", "log_index"),)

    # SQLite counts by itself only in a column of exactly this type.
    id: Mapped[int] = mapped_column(
        sa.BigInteger().with_variant(sa.Integer(), "sqlite"), primary_key=True
    )
    chain_id: Mapped[int]
    block: Mapped[int] = mapped_column(index=True)
    block_hash: Mapped[str] = mapped_column(HASH)
    log_index: Mapped[int] = mapped_column(sa.Integer)
    transaction: Mapped[str] = mapped_column(HASH)
    kind: Mapped[str] = mapped_column(sa.String(40))
    agreement_id: Mapped[str | None] = mapped_column(HASH, index=True)
    run_id: Mapped[str | None] = mapped_column(HASH, index=True)
    data: Mapped[dict[str, Any]]


class Round(Base):
    """A sealed round."""

    __tablename__ = "rounds"

    event_id: Mapped[int] = mapped_column(
        sa.ForeignKey("events.id", ondelete="CASCADE"), primary_key=True, autoincrement=False
    )
    run_id: Mapped[str] = mapped_column(HASH, index=True)
    number: Mapped[int] = mapped_column(sa.Integer)
    term: Mapped[int]
    merged_root: Mapped[str] = mapped_column(HASH)
    loss_before_e9: Mapped[int]
    loss_after_e9: Mapped[int]
    metric_e9: Mapped[int]
    shares: Mapped[list[Any]]  # [[party, bips], …]
    rejects: Mapped[list[Any]]  # [[registration, reason], …]
    signers: Mapped[list[Any]]  # registrations
    credited_wei: Mapped[int] = mapped_column(Wei)
    event: Mapped[Event] = relationship(lazy="joined")


class Credit(Base):
    """What a round's settlement credited to one organization."""

    __tablename__ = "credits"

    event_id: Mapped[int] = mapped_column(
        sa.ForeignKey("events.id", ondelete="CASCADE"), primary_key=True, autoincrement=False
    )
    party: Mapped[int] = mapped_column(sa.Integer, primary_key=True, autoincrement=False)
    run_id: Mapped[str] = mapped_column(HASH, index=True)
    round: Mapped[int] = mapped_column(sa.Integer)
    share_bips: Mapped[int] = mapped_column(sa.Integer)
    amount_wei: Mapped[int] = mapped_column(Wei)
