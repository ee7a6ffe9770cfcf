"""Books in double entry, block times, rows of local metering. The chain is read anew.

Earlier revisions kept fewer kinds of events and no books; both follow from the chain, so what was
read of it is dropped, and the marketplace reads it again from its first block.

Revises: 0003
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

_HASH = sa.String(66)
_ACCOUNT = sa.String(160)
_DIGITS = 78
_LIMB_DIGITS = 13
_WHOLE = "ledger: the postings of an entry sum to zero, and are two or more"
_CLOSED = "ledger: an entry that is written is complete"
_KEPT = "ledger: what is written stays"
_TABLES = ("ledger_postings", "ledger_entries")


def upgrade() -> None:
    sqlite = op.get_bind().dialect.name == "sqlite"
    signed = sa.String(_DIGITS + 1) if sqlite else sa.Numeric(_DIGITS, 0)
    op.create_table(
        "blocks",
        sa.Column("chain_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("number", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("time_s", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("chain_id", "number", name="pk_blocks"),
    )
    op.create_table(
        "round_rows",
        sa.Column(
            "event_id",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=False,
            nullable=False,
        ),
        sa.Column("run_id", _HASH, nullable=False),
        sa.Column("round", sa.Integer(), nullable=False),
        sa.Column("party", sa.Integer(), nullable=False),
        sa.Column("registration", sa.Integer(), nullable=False),
        sa.Column("loss_before_e9", sa.BigInteger()),
        sa.Column("loss_after_e9", sa.BigInteger()),
        sa.Column("metric_e9", sa.BigInteger(), nullable=False),
        sa.Column("shares", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["event_id"], ["events.id"], "fk_round_rows_event_id", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("event_id", name="pk_round_rows"),
    )
    op.create_index("ix_round_rows_run_id", "round_rows", ["run_id"])
    op.create_table(
        "ledger_entries",
        sa.Column("number", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("chain_id", sa.BigInteger(), nullable=False),
        sa.Column("block", sa.BigInteger(), nullable=False),
        sa.Column("block_hash", _HASH, nullable=False),
        sa.Column("log_index", sa.Integer(), nullable=False),
        sa.Column("transaction", _HASH, nullable=False),
        sa.Column("turn", sa.Integer(), nullable=False),
        sa.Column("reversal", sa.Boolean(), nullable=False),
        sa.Column("what", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("number", name="pk_ledger_entries"),
        sa.UniqueConstraint(
            *("chain_id", "block_hash", "log_index", "turn", "reversal"),
            name="uq_ledger_entries_chain_id_block_hash_log_index_turn_reversal",
        ),
    )
    op.create_index("ix_ledger_entries_block", "ledger_entries", ["block"])
    op.create_table(
        "ledger_postings",
        sa.Column("entry", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("account", _ACCOUNT, nullable=False),
        sa.Column("amount_wei", signed, nullable=False),
        sa.ForeignKeyConstraint(
            ["entry"],
            ["ledger_entries.number"],
            "fk_ledger_postings_entry",
            deferrable=True,
            initially="DEFERRED",
        ),
        sa.PrimaryKeyConstraint("entry", "account", name="pk_ledger_postings"),
        *([sa.CheckConstraint(_well_formed(), "amount")] if sqlite else []),
    )
    op.create_index("ix_ledger_postings_account", "ledger_postings", ["account"])
    op.create_table(
        "ledger_balances",
        sa.Column("account", _ACCOUNT, nullable=False),
        sa.Column("balance_wei", signed, nullable=False),
        sa.PrimaryKeyConstraint("account", name="pk_ledger_balances"),
    )
    for statement in _sqlite_triggers() if sqlite else _POSTGRESQL_TRIGGERS:
        op.execute(statement)
    _read_anew()


def downgrade() -> None:
    for table in _TABLES:
        if op.get_bind().dialect.name == "sqlite":
            continue
        op.execute(f"DROP TRIGGER {table}_kept ON {table}")
    op.drop_table("ledger_balances")
    op.drop_index("ix_ledger_postings_account", "ledger_postings")
    op.drop_table("ledger_postings")
    op.drop_index("ix_ledger_entries_block", "ledger_entries")
    op.drop_table("ledger_entries")
    op.drop_index("ix_round_rows_run_id", "round_rows")
    op.drop_table("round_rows")
    op.drop_table("blocks")
    if op.get_bind().dialect.name != "sqlite":
        for function in ("entry_whole", "entry_closed", "kept"):
            op.execute(f"DROP FUNCTION swarm_ledger_{function}()")
    _read_anew()


def _read_anew() -> None:
    for table in ("credits", "rounds", "events", "cursors"):
        op.execute(sa.delete(sa.table(table)))


def _well_formed() -> str:
    """SQLite keeps amounts as text: a sign and all digits, not all of them zero."""
    return (
        f"typeof(amount_wei) = 'text' AND length(amount_wei) = {_DIGITS + 1} "
        "AND substr(amount_wei, 1, 1) IN ('+', '-') "
        "AND substr(amount_wei, 2) NOT GLOB '*[^0-9]*' AND substr(amount_wei, 2) GLOB '*[1-9]*'"
    )


def _sqlite_triggers() -> list[str]:
    """SQLite has integers of 64 bits only, so digits are added up 13 at a time, with carries."""
    base, limbs = 10**_LIMB_DIGITS, _DIGITS // _LIMB_DIGITS
    sign = "(CASE substr(amount_wei, 1, 1) WHEN '-' THEN -1 ELSE 1 END)"
    first = [
        f"sum({sign} * CAST(substr(amount_wei, {2 + limb * _LIMB_DIGITS}, {_LIMB_DIGITS}) "
        f"AS INTEGER)) AS l{limb}"
        for limb in range(limbs)
    ]
    query = (
        f"SELECT count(*) AS n, 0 AS odd, {', '.join(first)} "
        "FROM ledger_postings WHERE entry = NEW.number"
    )
    # From the last limb up: what it leaves after carrying has to be nothing.
    for limb in reversed(range(1, limbs)):
        higher = [f"l{each}" for each in range(limb - 1)]
        higher.append(f"l{limb - 1} + l{limb} / {base} AS l{limb - 1}")
        query = (
            f"SELECT n, odd + (l{limb} % {base} <> 0) AS odd, {', '.join(higher)} FROM ({query})"
        )
    kept = [
        f"CREATE TRIGGER {table}_{verb.lower()} BEFORE {verb} ON {table} "
        f"BEGIN SELECT RAISE(ABORT, '{_KEPT}'); END"
        for table in _TABLES
        for verb in ("UPDATE", "DELETE")
    ]
    return [
        "CREATE TRIGGER ledger_entries_whole BEFORE INSERT ON ledger_entries BEGIN "
        # A replacement deletes without asking the triggers.
        f"SELECT RAISE(ABORT, '{_KEPT}') FROM ledger_entries WHERE number = NEW.number; "
        f"SELECT RAISE(ABORT, '{_WHOLE}') FROM ({query}) WHERE n < 2 OR odd <> 0 OR l0 <> 0; END",
        "CREATE TRIGGER ledger_postings_closed BEFORE INSERT ON ledger_postings BEGIN "
        f"SELECT RAISE(ABORT, '{_CLOSED}') FROM ledger_entries WHERE number = NEW.entry; END",
        *kept,
    ]


_POSTGRESQL_TRIGGERS = (
    f"""
    CREATE FUNCTION swarm_ledger_entry_whole() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
        IF (SELECT count(*) < 2 OR sum(amount_wei) <> 0 OR bool_or(amount_wei = 0)
            FROM ledger_postings WHERE entry = NEW.number) THEN
            RAISE EXCEPTION '{_WHOLE}' USING ERRCODE = 'integrity_constraint_violation';
        END IF;
        RETURN NULL;
    END $$
    """,
    f"""
    CREATE FUNCTION swarm_ledger_entry_closed() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
        IF EXISTS (SELECT FROM ledger_entries WHERE number = NEW.entry) THEN
            RAISE EXCEPTION '{_CLOSED}' USING ERRCODE = 'integrity_constraint_violation';
        END IF;
        RETURN NEW;
    END $$
    """,
    f"""
    CREATE FUNCTION swarm_ledger_kept() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
        RAISE EXCEPTION '{_KEPT}' USING ERRCODE = 'integrity_constraint_violation';
    END $$
    """,
    "CREATE CONSTRAINT TRIGGER ledger_entries_whole AFTER INSERT ON ledger_entries "
    "FOR EACH ROW EXECUTE FUNCTION swarm_ledger_entry_whole()",
    "CREATE TRIGGER ledger_postings_closed BEFORE INSERT ON ledger_postings "
    "FOR EACH ROW EXECUTE FUNCTION swarm_ledger_entry_closed()",
    *(
        f"CREATE TRIGGER {table}_kept BEFORE UPDATE OR DELETE OR TRUNCATE ON {table} "
        "FOR EACH STATEMENT EXECUTE FUNCTION swarm_ledger_kept()"
        for table in _TABLES
    ),
)
