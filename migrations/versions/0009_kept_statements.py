"""Statements of periods that are over, as they were handed out first.

Revises: 0008
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "kept_statements",
        sa.Column("id", sa.String(64), nullable=False),
        sa.Column("wallet", sa.String(42), nullable=False),
        sa.Column("last_block", sa.BigInteger(), nullable=False),
        sa.Column("last_block_hash", sa.String(66), nullable=False),
        sa.Column("data", sa.Text(), nullable=False),
        sa.Column("run_names", sa.JSON(none_as_null=True), nullable=False),
        sa.Column("made_s", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_kept_statements"),
    )
    op.create_index("ix_kept_statements_wallet_made_s", "kept_statements", ["wallet", "made_s"])


def downgrade() -> None:
    op.drop_table("kept_statements")
