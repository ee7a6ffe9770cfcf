"""Certificates know the enrollment that they were issued under.

Revises: 0001
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("certificates") as table:
        table.add_column(sa.Column("enrollment_id", sa.String(64)))
    # Of two enrollments under one name, the later one was the one to renew.
    op.execute(
        "UPDATE certificates SET enrollment_id = ("
        "SELECT id FROM enrollments WHERE enrollments.spiffe_id = certificates.spiffe_id "
        "ORDER BY created_s DESC LIMIT 1)"
    )
    with op.batch_alter_table("certificates") as table:
        table.alter_column("enrollment_id", existing_type=sa.String(64), nullable=False)
        table.create_foreign_key(
            "fk_certificates_enrollment_id", "enrollments", ["enrollment_id"], ["id"]
        )


def downgrade() -> None:
    with op.batch_alter_table("certificates") as table:
        table.drop_constraint("fk_certificates_enrollment_id", type_="foreignkey")
        table.drop_column("enrollment_id")
