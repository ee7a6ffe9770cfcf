"""The first tables.

Revises: nothing
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

HASH = sa.String(66)
ADDRESS = sa.String(42)
TOKEN = sa.String(64)
SPIFFE_ID = sa.String(2048)
# As of this revision; what models and types say today must not change what a migration does.
WEI = sa.Numeric(78, 0).with_variant(sa.String(78), "sqlite")
EVENT_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    _people()
    _agreements()
    _nodes()
    _chain()


def downgrade() -> None:
    for table in (
        "credits",
        "rounds",
        "events",
        "cursors",
        "node_status",
        "leases",
        "certificates",
        "enrollments",
        "enrollment_tokens",
        "operations",
        "parties",
        "agreements",
        "sign_ins",
        "challenges",
    ):
        op.drop_table(table)


def _people() -> None:
    op.create_table(
        "challenges",
        sa.Column("message_hash", TOKEN, nullable=False),
        sa.Column("address", ADDRESS, nullable=False),
        sa.Column("expires_s", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("message_hash", name="pk_challenges"),
    )
    op.create_table(
        "sign_ins",
        sa.Column("token_hash", TOKEN, nullable=False),
        sa.Column("address", ADDRESS, nullable=False),
        sa.Column("created_s", sa.BigInteger(), nullable=False),
        sa.Column("expires_s", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("token_hash", name="pk_sign_ins"),
    )


def _agreements() -> None:
    op.create_table(
        "agreements",
        sa.Column("id", HASH, nullable=False),
        sa.Column("title", sa.String(160), nullable=False),
        sa.Column("fields", sa.JSON(), nullable=False),
        sa.Column("document", sa.Text(), nullable=False),
        sa.Column("message", sa.JSON(), nullable=False),
        sa.Column("drafted_by", ADDRESS, nullable=False),
        sa.Column("created_s", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_agreements"),
    )
    op.create_table(
        "parties",
        sa.Column("agreement_id", HASH, nullable=False),
        sa.Column("number", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("organization", sa.String(63), nullable=False),
        sa.Column("wallet", ADDRESS, nullable=False),
        sa.Column("weight", sa.Integer(), nullable=False),
        sa.Column("signature", sa.Text()),
        sa.Column("signed_s", sa.BigInteger()),
        sa.ForeignKeyConstraint(
            ["agreement_id"], ["agreements.id"], name="fk_parties_agreement_id"
        ),
        sa.PrimaryKeyConstraint("agreement_id", "number", name="pk_parties"),
        sa.UniqueConstraint(
            "agreement_id", "organization", name="uq_parties_agreement_id_organization"
        ),
        sa.UniqueConstraint("agreement_id", "wallet", name="uq_parties_agreement_id_wallet"),
    )
    op.create_index("ix_parties_wallet", "parties", ["wallet"])
    op.create_table(
        "operations",
        sa.Column("id", TOKEN, nullable=False),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("effect", sa.String(200), nullable=False),
        sa.Column("agreement_id", HASH, nullable=False),
        sa.Column("payload", sa.JSON(), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("transaction", HASH),
        sa.Column("posted_block", sa.BigInteger()),
        sa.Column("refused_block", sa.BigInteger()),
        sa.Column("error", sa.Text()),
        sa.Column("hint", sa.Text()),
        sa.Column("result", sa.JSON()),
        sa.Column("created_s", sa.BigInteger(), nullable=False),
        sa.Column("updated_s", sa.BigInteger(), nullable=False),
        sa.CheckConstraint(
            "state IN ('queued', 'sent', 'confirmed', 'failed')", name="ck_operations_state"
        ),
        sa.ForeignKeyConstraint(
            ["agreement_id"], ["agreements.id"], name="fk_operations_agreement_id"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_operations"),
    )
    op.create_index("ix_operations_state", "operations", ["state"])
    op.create_index(
        "uq_operations_effect",
        "operations",
        ["effect"],
        unique=True,
        sqlite_where=sa.text("state != 'failed'"),
        postgresql_where=sa.text("state != 'failed'"),
    )


def _nodes() -> None:
    party = (["agreement_id", "party"], ["parties.agreement_id", "parties.number"])
    op.create_table(
        "enrollment_tokens",
        sa.Column("secret_hash", TOKEN, nullable=False),
        sa.Column("agreement_id", HASH, nullable=False),
        sa.Column("party", sa.Integer(), nullable=False),
        sa.Column("node", sa.String(63), nullable=False),
        sa.Column("created_by", ADDRESS, nullable=False),
        sa.Column("created_s", sa.BigInteger(), nullable=False),
        sa.Column("expires_s", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(*party, name="fk_enrollment_tokens_agreement_id_party"),
        sa.PrimaryKeyConstraint("secret_hash", name="pk_enrollment_tokens"),
    )
    op.create_table(
        "enrollments",
        sa.Column("id", TOKEN, nullable=False),
        sa.Column("token_hash", TOKEN, nullable=False),
        sa.Column("agreement_id", HASH, nullable=False),
        sa.Column("party", sa.Integer(), nullable=False),
        sa.Column("spiffe_id", SPIFFE_ID, nullable=False),
        sa.Column("key", ADDRESS, nullable=False),
        sa.Column("csr_hash", TOKEN, nullable=False),
        sa.Column("svid_pem", sa.Text(), nullable=False),
        sa.Column("svid_expires_s", sa.BigInteger(), nullable=False),
        sa.Column("message", sa.JSON(), nullable=False),
        sa.Column("key_signature", sa.Text()),
        sa.Column("wallet_signature", sa.Text()),
        sa.Column("operation_id", TOKEN),
        sa.Column("created_s", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(*party, name="fk_enrollments_agreement_id_party"),
        sa.ForeignKeyConstraint(
            ["operation_id"], ["operations.id"], name="fk_enrollments_operation_id"
        ),
        sa.ForeignKeyConstraint(
            ["token_hash"], ["enrollment_tokens.secret_hash"], name="fk_enrollments_token_hash"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_enrollments"),
        sa.UniqueConstraint("token_hash", name="uq_enrollments_token_hash"),
    )
    op.create_index("ix_enrollments_spiffe_id", "enrollments", ["spiffe_id"])
    op.create_table(
        "certificates",
        sa.Column("serial", sa.String(40), nullable=False),
        sa.Column("spiffe_id", SPIFFE_ID, nullable=False),
        sa.Column("spki_hash", TOKEN, nullable=False),
        sa.Column("issued_s", sa.BigInteger(), nullable=False),
        sa.Column("expires_s", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("serial", name="pk_certificates"),
    )
    op.create_index("ix_certificates_spiffe_id", "certificates", ["spiffe_id"])
    op.create_table(
        "leases",
        sa.Column("id", TOKEN, nullable=False),
        sa.Column("spiffe_id", SPIFFE_ID, nullable=False),
        sa.Column("organization", sa.String(63), nullable=False),
        sa.Column("features", sa.JSON(), nullable=False),
        sa.Column("issued_s", sa.BigInteger(), nullable=False),
        sa.Column("expires_s", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_leases"),
    )
    op.create_index("ix_leases_spiffe_id", "leases", ["spiffe_id"])
    op.create_table(
        "node_status",
        sa.Column("spiffe_id", SPIFFE_ID, nullable=False),
        sa.Column("received_s", sa.BigInteger(), nullable=False),
        sa.Column("status", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("spiffe_id", name="pk_node_status"),
    )


def _chain() -> None:
    op.create_table(
        "cursors",
        sa.Column("chain_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("block", sa.BigInteger(), nullable=False),
        sa.Column("block_hash", HASH, nullable=False),
        sa.PrimaryKeyConstraint("chain_id", name="pk_cursors"),
    )
    op.create_table(
        "events",
        sa.Column("id", EVENT_ID, nullable=False),
        sa.Column("chain_id", sa.BigInteger(), nullable=False),
        sa.Column("block", sa.BigInteger(), nullable=False),
        sa.Column("block_hash", HASH, nullable=False),
        sa.Column("log_index", sa.Integer(), nullable=False),
        sa.Column("transaction", HASH, nullable=False),
        sa.Column("kind", sa.String(40), nullable=False),
        sa.Column("agreement_id", HASH),
        sa.Column("run_id", HASH),
        sa.Column("data", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_events"),
        sa.UniqueConstraint(
            "chain_id", "block_hash", "log_index", name="uq_events_chain_id_block_hash_log_index"
        ),
    )
    for column in ("agreement_id", "block", "run_id"):
        op.create_index(f"ix_events_{column}", "events", [column])
    op.create_table(
        "rounds",
        sa.Column("event_id", EVENT_ID, autoincrement=False, nullable=False),
        sa.Column("run_id", HASH, nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("term", sa.BigInteger(), nullable=False),
        sa.Column("merged_root", HASH, nullable=False),
        sa.Column("loss_before_e9", sa.BigInteger(), nullable=False),
        sa.Column("loss_after_e9", sa.BigInteger(), nullable=False),
        sa.Column("metric_e9", sa.BigInteger(), nullable=False),
        sa.Column("shares", sa.JSON(), nullable=False),
        sa.Column("rejects", sa.JSON(), nullable=False),
        sa.Column("signers", sa.JSON(), nullable=False),
        sa.Column("credited_wei", WEI, nullable=False),
        sa.ForeignKeyConstraint(
            ["event_id"], ["events.id"], name="fk_rounds_event_id", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("event_id", name="pk_rounds"),
    )
    op.create_index("ix_rounds_run_id", "rounds", ["run_id"])
    op.create_table(
        "credits",
        sa.Column("event_id", EVENT_ID, autoincrement=False, nullable=False),
        sa.Column("party", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("run_id", HASH, nullable=False),
        sa.Column("round", sa.Integer(), nullable=False),
        sa.Column("share_bips", sa.Integer(), nullable=False),
        sa.Column("amount_wei", WEI, nullable=False),
        sa.ForeignKeyConstraint(
            ["event_id"], ["events.id"], name="fk_credits_event_id", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("event_id", "party", name="pk_credits"),
    )
    op.create_index("ix_credits_run_id", "credits", ["run_id"])
