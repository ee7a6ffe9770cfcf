"""Drafts in negotiation, invitations, admissions; amendments and motions; rejected enrollments.

Revises: 0004b
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004b"
branch_labels = None
depends_on = None

_HASH = sa.String(66)
_ADDRESS = sa.String(42)
_TOKEN = sa.String(64)
_LABEL = sa.String(63)


def upgrade() -> None:
    _negotiations()
    _governance()
    # What was here before there was a policy keeps what it has.
    op.execute(
        "INSERT INTO admitted_agreements (agreement_id, admitted_by, created_s) "
        "SELECT id, drafted_by, created_s FROM agreements"
    )


def downgrade() -> None:
    for table in (
        "motion_votes",
        "motions",
        "version_signatures",
        "agreement_versions",
        "rejections",
        "admitted_agreements",
        "admissions",
        "invitations",
        "draft_comments",
        "draft_versions",
        "negotiation_seats",
        "negotiations",
    ):
        op.drop_table(table)


def _negotiations() -> None:
    op.create_table(
        "negotiations",
        sa.Column("id", _TOKEN, nullable=False),
        sa.Column("title", sa.String(160), nullable=False),
        sa.Column("amends", _HASH),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("offered_hash", _HASH),
        sa.Column("started_by", _ADDRESS, nullable=False),
        sa.Column("created_s", sa.BigInteger(), nullable=False),
        sa.Column("updated_s", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_negotiations"),
        sa.ForeignKeyConstraint(["amends"], ["agreements.id"], name="fk_negotiations_amends"),
        sa.CheckConstraint(
            "state IN ('open', 'offered', 'withdrawn')", name=op.f("ck_negotiations_state")
        ),
    )
    for name in ("amends", "offered_hash", "started_by"):
        op.create_index(f"ix_negotiations_{name}", "negotiations", [name])
    op.create_table(
        "negotiation_seats",
        _of_negotiation(),
        sa.Column("organization", _LABEL, nullable=False),
        sa.Column("wallet", _ADDRESS),
        sa.PrimaryKeyConstraint("negotiation_id", "organization", name="pk_negotiation_seats"),
        _to_negotiation("negotiation_seats"),
    )
    op.create_index("ix_negotiation_seats_wallet", "negotiation_seats", ["wallet"])
    op.create_table(
        "draft_versions",
        _of_negotiation(),
        sa.Column("number", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("proposal", sa.JSON(), nullable=False),
        sa.Column("draft", sa.JSON(), nullable=False),
        sa.Column("document", sa.Text(), nullable=False),
        sa.Column("document_sha256", _HASH, nullable=False),
        sa.Column("open_items", sa.JSON(), nullable=False),
        sa.Column("note", sa.Text(), nullable=False),
        sa.Column("author", _ADDRESS, nullable=False),
        sa.Column("created_s", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("negotiation_id", "number", name="pk_draft_versions"),
        _to_negotiation("draft_versions"),
    )
    op.create_table(
        "draft_comments",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        _of_negotiation(),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("author", _ADDRESS, nullable=False),
        sa.Column("created_s", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_draft_comments"),
        _to_negotiation("draft_comments"),
    )
    op.create_index("ix_draft_comments_negotiation_id", "draft_comments", ["negotiation_id"])
    op.create_table(
        "invitations",
        sa.Column("secret_hash", _TOKEN, nullable=False),
        sa.Column("id", _TOKEN, nullable=False),
        _of_negotiation(),
        sa.Column("organization", _LABEL, nullable=False),
        sa.Column("created_by", _ADDRESS, nullable=False),
        sa.Column("created_s", sa.BigInteger(), nullable=False),
        sa.Column("expires_s", sa.BigInteger(), nullable=False),
        sa.Column("revoked_s", sa.BigInteger()),
        sa.Column("used_by", _ADDRESS),
        sa.Column("used_s", sa.BigInteger()),
        sa.PrimaryKeyConstraint("secret_hash", name="pk_invitations"),
        sa.UniqueConstraint("id", name="uq_invitations_id"),
        _to_negotiation("invitations"),
    )
    op.create_index("ix_invitations_negotiation_id", "invitations", ["negotiation_id"])
    op.create_table(
        "admissions",
        sa.Column("organization", _LABEL, nullable=False),
        sa.Column("wallet", _ADDRESS, nullable=False),
        sa.Column("admitted_by", _ADDRESS, nullable=False),
        sa.Column("created_s", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("organization", name="pk_admissions"),
        sa.UniqueConstraint("wallet", name="uq_admissions_wallet"),
    )
    op.create_table(
        "admitted_agreements",
        sa.Column("agreement_id", _HASH, nullable=False),
        sa.Column("admitted_by", _ADDRESS, nullable=False),
        sa.Column("created_s", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("agreement_id", name="pk_admitted_agreements"),
        sa.ForeignKeyConstraint(
            ["agreement_id"], ["agreements.id"], name="fk_admitted_agreements_agreement_id"
        ),
    )
    op.create_table(
        "rejections",
        sa.Column("enrollment_id", _TOKEN, nullable=False),
        sa.Column("rejected_by", _ADDRESS, nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("created_s", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("enrollment_id", name="pk_rejections"),
        sa.ForeignKeyConstraint(
            ["enrollment_id"], ["enrollments.id"], name="fk_rejections_enrollment_id"
        ),
    )


def _governance() -> None:
    op.create_table(
        "agreement_versions",
        sa.Column("hash", _HASH, nullable=False),
        sa.Column("agreement_id", _HASH, nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("title", sa.String(160), nullable=False),
        sa.Column("fields", sa.JSON(), nullable=False),
        sa.Column("document", sa.Text(), nullable=False),
        sa.Column("message", sa.JSON(), nullable=False),
        sa.Column("offered_by", _ADDRESS, nullable=False),
        sa.Column("created_s", sa.BigInteger(), nullable=False),
        sa.Column("withdrawn_s", sa.BigInteger()),
        sa.Column("operation_id", _TOKEN),
        sa.PrimaryKeyConstraint("hash", name="pk_agreement_versions"),
        *_to_agreement_and_operation("agreement_versions"),
    )
    op.create_index("ix_agreement_versions_agreement_id", "agreement_versions", ["agreement_id"])
    op.create_table(
        "version_signatures",
        sa.Column("hash", _HASH, nullable=False),
        *_signature(),
        sa.PrimaryKeyConstraint("hash", "party", name="pk_version_signatures"),
        sa.ForeignKeyConstraint(
            ["hash"], ["agreement_versions.hash"], name="fk_version_signatures_hash"
        ),
    )
    op.create_table(
        "motions",
        sa.Column("id", _TOKEN, nullable=False),
        sa.Column("agreement_id", _HASH, nullable=False),
        sa.Column("action", sa.String(16), nullable=False),
        sa.Column("run_id", _HASH),
        sa.Column("message", sa.JSON(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("proposed_by", _ADDRESS, nullable=False),
        sa.Column("created_s", sa.BigInteger(), nullable=False),
        sa.Column("withdrawn_s", sa.BigInteger()),
        sa.Column("operation_id", _TOKEN),
        sa.PrimaryKeyConstraint("id", name="pk_motions"),
        *_to_agreement_and_operation("motions"),
    )
    op.create_index("ix_motions_agreement_id", "motions", ["agreement_id"])
    op.create_table(
        "motion_votes",
        sa.Column("motion_id", _TOKEN, nullable=False),
        *_signature(),
        sa.PrimaryKeyConstraint("motion_id", "party", name="pk_motion_votes"),
        sa.ForeignKeyConstraint(["motion_id"], ["motions.id"], name="fk_motion_votes_motion_id"),
    )


def _of_negotiation() -> sa.Column[str]:
    return sa.Column("negotiation_id", _TOKEN, nullable=False)


def _to_negotiation(table: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(
        ["negotiation_id"], ["negotiations.id"], name=f"fk_{table}_negotiation_id"
    )


def _to_agreement_and_operation(table: str) -> tuple[sa.ForeignKeyConstraint, ...]:
    return (
        sa.ForeignKeyConstraint(
            ["agreement_id"], ["agreements.id"], name=f"fk_{table}_agreement_id"
        ),
        sa.ForeignKeyConstraint(
            ["operation_id"], ["operations.id"], name=f"fk_{table}_operation_id"
        ),
    )


def _signature() -> tuple[sa.Column[int], sa.Column[str], sa.Column[int]]:
    return (
        sa.Column("party", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("signature", sa.Text(), nullable=False),
        sa.Column("signed_s", sa.BigInteger(), nullable=False),
    )
