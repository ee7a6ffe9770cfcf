"""What taking part cost the nodes, by their own signed word.

Revises: 0002
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

_COUNTS = (
    "bytes_served",
    "bytes_fetched",
    "training_ms",
    "evaluation_ms",
    "merge_ms",
    "samples",
    "restarts",
)


def upgrade() -> None:
    op.create_table(
        "usage_reports",
        sa.Column("run_id", sa.String(66), nullable=False),
        sa.Column("round", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("spiffe_id", sa.String(2048), nullable=False),
        *(sa.Column(name, sa.BigInteger(), nullable=False) for name in _COUNTS),
        sa.Column("energy_j", sa.BigInteger()),
        sa.Column("key", sa.String(42), nullable=False),
        sa.Column("signature", sa.Text(), nullable=False),
        sa.Column("received_s", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("run_id", "round", "spiffe_id", name="pk_usage_reports"),
    )


def downgrade() -> None:
    op.drop_table("usage_reports")
