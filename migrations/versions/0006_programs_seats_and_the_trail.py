"""Programs and helpers of people, seats, requests that are repeated, and the audit trail.

Revises: 0005
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

ADDRESS = sa.String(42)
TOKEN = sa.String(64)


def upgrade() -> None:
    _people()
    _operations()
    _leases()
    _trail()


def downgrade() -> None:
    for name in ("anchors", "trail", "seats", "retries", "members", "api_tokens"):
        op.drop_table(name)
    with op.batch_alter_table("leases") as table:
        for index in ("organization", "live_until_s", "holder"):
            table.drop_index(f"ix_leases_{index}")
        table.drop_constraint("fk_leases_holder", type_="foreignkey")
        for column in ("ended_s", "exported_by", "live_until_s", "holder"):
            table.drop_column(column)
    op.drop_index("ix_operations_retry_key", "operations")
    # Not as a batch: enrollments point to operations, so that SQLite may not copy the table.
    for column in ("claimed_until_s", "claimed_by", "retry_key"):
        op.drop_column("operations", column)


def _people() -> None:
    op.create_table(
        "api_tokens",
        sa.Column("id", TOKEN, nullable=False),
        sa.Column("secret_hash", TOKEN, nullable=False),
        sa.Column("wallet", ADDRESS, nullable=False),
        sa.Column("name", sa.String(63), nullable=False),
        sa.Column("scopes", sa.JSON(), nullable=False),
        sa.Column("created_s", sa.BigInteger(), nullable=False),
        sa.Column("expires_s", sa.BigInteger(), nullable=False),
        sa.Column("revoked_s", sa.BigInteger()),
        sa.PrimaryKeyConstraint("id", name="pk_api_tokens"),
        sa.UniqueConstraint("secret_hash", name="uq_api_tokens_secret_hash"),
    )
    op.create_index("ix_api_tokens_wallet", "api_tokens", ["wallet"])
    op.create_table(
        "members",
        sa.Column("owner", ADDRESS, nullable=False),
        sa.Column("wallet", ADDRESS, nullable=False),
        sa.Column("role", sa.String(16), nullable=False),
        sa.Column("created_s", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("role IN ('operator', 'auditor')", name="ck_members_role"),
        sa.PrimaryKeyConstraint("owner", "wallet", name="pk_members"),
    )
    op.create_index("ix_members_wallet", "members", ["wallet"])
    op.create_table(
        "retries",
        sa.Column("key", TOKEN, nullable=False),
        sa.Column("request", TOKEN, nullable=False),
        sa.Column("started_s", sa.BigInteger(), nullable=False),
        sa.Column("status", sa.Integer()),
        sa.Column("content_type", sa.String(100)),
        sa.Column("body", sa.Text()),
        sa.PrimaryKeyConstraint("key", name="pk_retries"),
    )
    op.create_index("ix_retries_started_s", "retries", ["started_s"])


def _operations() -> None:
    op.add_column("operations", sa.Column("retry_key", TOKEN))
    op.add_column("operations", sa.Column("claimed_by", TOKEN))
    op.add_column("operations", sa.Column("claimed_until_s", sa.BigInteger()))
    op.create_index("ix_operations_retry_key", "operations", ["retry_key"])


def _leases() -> None:
    op.create_table(
        "seats",
        sa.Column("organization", sa.String(63), nullable=False),
        sa.Column("feature", sa.String(63), nullable=False),
        sa.Column("count", sa.Integer(), nullable=False),
        sa.Column("until_s", sa.BigInteger()),
        sa.Column("set_by", ADDRESS, nullable=False),
        sa.Column("set_s", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("organization", "feature", name="pk_seats"),
    )
    with op.batch_alter_table("leases") as table:
        table.add_column(sa.Column("holder", TOKEN))
        table.add_column(sa.Column("live_until_s", sa.BigInteger()))
        table.add_column(sa.Column("exported_by", ADDRESS))
        table.add_column(sa.Column("ended_s", sa.BigInteger()))
    # Of two enrollments under one name, the later one was the one to renew.
    op.execute(
        "UPDATE leases SET live_until_s = expires_s, holder = ("
        "SELECT id FROM enrollments WHERE enrollments.spiffe_id = leases.spiffe_id "
        "ORDER BY created_s DESC LIMIT 1)"
    )
    # One row for each seat from here on; the node's next lease is the same seat.
    op.execute(
        "DELETE FROM leases WHERE holder IS NULL OR EXISTS (SELECT 1 FROM leases AS later "
        "WHERE later.holder = leases.holder AND (later.expires_s > leases.expires_s "
        "OR (later.expires_s = leases.expires_s AND later.id > leases.id)))"
    )
    with op.batch_alter_table("leases") as table:
        table.alter_column("holder", existing_type=TOKEN, nullable=False)
        table.alter_column("live_until_s", existing_type=sa.BigInteger(), nullable=False)
        table.create_foreign_key("fk_leases_holder", "enrollments", ["holder"], ["id"])
        for column in ("holder", "live_until_s", "organization"):
            table.create_index(f"ix_leases_{column}", [column])


def _trail() -> None:
    op.create_table(
        "trail",
        sa.Column("number", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("at_s", sa.BigInteger(), nullable=False),
        sa.Column("who", sa.String(200), nullable=False),
        sa.Column("what", sa.String(200), nullable=False),
        sa.Column("changes", sa.JSON(), nullable=False),
        sa.Column("previous", TOKEN, nullable=False),
        sa.Column("hash", TOKEN, nullable=False),
        sa.PrimaryKeyConstraint("number", name="pk_trail"),
    )
    op.create_table(
        "anchors",
        sa.Column("number", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("hash", TOKEN, nullable=False),
        sa.Column("transaction", sa.String(66), nullable=False),
        sa.Column("block", sa.BigInteger(), nullable=False),
        sa.Column("at_s", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("number", name="pk_anchors"),
    )
