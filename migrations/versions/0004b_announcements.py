"""What is announced, and where it is told.

Revises: 0004
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004b"
down_revision = "0004"
branch_labels = None
depends_on = None

_HASH = sa.String(66)
_TOKEN = sa.String(64)


def upgrade() -> None:
    number = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    op.create_table(
        "announcements",
        sa.Column("number", number, nullable=False),
        sa.Column("key", sa.String(240), nullable=False),
        sa.Column("kind", sa.String(24), nullable=False),
        sa.Column("agreement_id", _HASH, nullable=False),
        sa.Column("run_id", _HASH),
        sa.Column("party", sa.Integer()),
        sa.Column("time_s", sa.BigInteger(), nullable=False),
        sa.Column("block", sa.BigInteger()),
        sa.Column("from_chain", sa.Boolean(), nullable=False),
        sa.Column("withdrawn", sa.Boolean(), nullable=False),
        sa.Column("data", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("number", name="pk_announcements"),
        sa.UniqueConstraint("key", name="uq_announcements_key"),
    )
    op.create_index("ix_announcements_agreement_id", "announcements", ["agreement_id"])
    op.create_index("ix_announcements_block", "announcements", ["block"])
    op.create_table(
        "webhooks",
        sa.Column("id", _TOKEN, nullable=False),
        sa.Column("wallet", sa.String(42), nullable=False),
        sa.Column("url", sa.String(2048), nullable=False),
        sa.Column("kinds", sa.JSON(), nullable=False),
        sa.Column("created_s", sa.BigInteger(), nullable=False),
        sa.Column("stopped", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_webhooks"),
    )
    op.create_index("ix_webhooks_wallet", "webhooks", ["wallet"])
    op.create_table(
        "deliveries",
        sa.Column("id", _TOKEN, nullable=False),
        sa.Column("webhook_id", _TOKEN, nullable=False),
        sa.Column("announcement", number, nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("next_s", sa.BigInteger(), nullable=False),
        sa.Column("status", sa.Integer()),
        sa.Column("error", sa.Text()),
        sa.Column("created_s", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("state IN ('waiting', 'delivered', 'failed')", "state"),
        sa.ForeignKeyConstraint(
            ["webhook_id"], ["webhooks.id"], "fk_deliveries_webhook_id", ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["announcement"], ["announcements.number"], "fk_deliveries_announcement"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_deliveries"),
        sa.UniqueConstraint(
            "webhook_id", "announcement", name="uq_deliveries_webhook_id_announcement"
        ),
    )
    op.create_index("ix_deliveries_webhook_id", "deliveries", ["webhook_id"])
    op.create_index("ix_deliveries_state", "deliveries", ["state"])


def downgrade() -> None:
    op.drop_table("deliveries")
    op.drop_table("webhooks")
    op.drop_table("announcements")
