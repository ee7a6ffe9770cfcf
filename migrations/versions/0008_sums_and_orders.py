"""Sums that are kept, and indexes in the orders that are asked for.

Revises: 0007
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
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
_DIGITS = 78
_SUM = sa.Numeric(_DIGITS, 0).with_variant(sa.String(_DIGITS), "sqlite")
_CHUNK = 5_000
_INDEXES = {
    "events": (
        ("run_id", "kind", "block", "log_index"),
        ("agreement_id", "kind", "block", "log_index"),
        ("kind", "block", "log_index"),
    ),
    "rounds": (("run_id", "number"),),
    "credits": (("run_id", "party", "round"), ("run_id", "round", "party")),
    "round_rows": (("run_id", "round"),),
    "ledger_postings": (("account", "entry"),),
}
# Each of them begins an index of more columns now.
_FORMER = {
    "events": ("agreement_id", "run_id"),
    "rounds": ("run_id",),
    "credits": ("run_id",),
    "round_rows": ("run_id",),
    "ledger_postings": ("account",),
}


def upgrade() -> None:
    op.add_column("rounds", sa.Column("paid", sa.BigInteger(), nullable=False, server_default="0"))
    _tell_who_was_paid()
    with op.batch_alter_table("rounds") as rounds:
        rounds.alter_column("paid", server_default=None)
    for table, indexes in _INDEXES.items():
        for column in _FORMER[table]:
            op.drop_index(f"ix_{table}_{column}", table)
        for columns in indexes:
            op.create_index(f"ix_{table}_{'_'.join(columns)}", table, columns)
    op.create_table(
        "usage_totals",
        sa.Column("run_id", sa.String(66), nullable=False),
        sa.Column("spiffe_id", sa.String(2048), nullable=False),
        sa.Column("reports", sa.BigInteger(), nullable=False),
        *(sa.Column(name, _SUM, nullable=False) for name in _COUNTS),
        sa.Column("energy_j", _SUM),
        sa.Column("energy_reports", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("run_id", "spiffe_id", name="pk_usage_totals"),
    )
    _add_up_usage()


def downgrade() -> None:
    op.drop_table("usage_totals")
    for table, indexes in _INDEXES.items():
        for columns in indexes:
            op.drop_index(f"ix_{table}_{'_'.join(columns)}", table)
        for column in _FORMER[table]:
            op.create_index(f"ix_{table}_{column}", table, [column])
    with op.batch_alter_table("rounds") as rounds:
        rounds.drop_column("paid")


def _tell_who_was_paid() -> None:
    rounds = sa.table(
        "rounds",
        sa.column("event_id", sa.BigInteger()),
        sa.column("shares", sa.JSON()),
        sa.column("paid", sa.BigInteger()),
    )
    changed = (
        sa.update(rounds)
        .where(rounds.c.event_id == sa.bindparam("which"))
        .values(paid=sa.bindparam("parties"))
    )
    connection = op.get_bind()
    for chunk in _chunks(connection.execute(sa.select(rounds.c.event_id, rounds.c.shares)).all()):
        connection.execute(
            changed, [{"which": event, "parties": _set_of(shares)} for event, shares in chunk]
        )


def _set_of(shares: list[list[int]]) -> int:
    """A bit for each party, the 64th being the sign."""
    parties = sum(1 << party for party, _ in shares)
    return parties - 2**64 if parties >= 2**63 else parties


def _add_up_usage() -> None:
    names = ("run_id", "spiffe_id", *_COUNTS, "energy_j")
    reports = sa.table("usage_reports", *(sa.column(name) for name in names))
    sums: dict[tuple[str, str], dict[str, Any]] = {}
    for row in op.get_bind().execute(sa.select(*reports.c)).mappings():
        own = sums.setdefault(
            (row["run_id"], row["spiffe_id"]),
            {"reports": 0, **dict.fromkeys(_COUNTS, 0), "energy_j": None, "energy_reports": 0},
        )
        own["reports"] += 1
        for name in _COUNTS:
            own[name] += row[name]
        if row["energy_j"] is not None:
            own["energy_j"] = (own["energy_j"] or 0) + row["energy_j"]
            own["energy_reports"] += 1
    totals = sa.table(
        "usage_totals", *(sa.column(name) for name in (*names, "reports", "energy_reports"))
    )
    for chunk in _chunks(list(sums.items())):
        rows = [
            {"run_id": run, "spiffe_id": node} | {name: _kept(name, own[name]) for name in own}
            for (run, node), own in chunk
        ]
        op.get_bind().execute(sa.insert(totals), rows)


def _kept(name: str, value: int | None) -> Any:
    if value is None or name in ("reports", "energy_reports"):
        return value
    return f"{value:0{_DIGITS}d}" if op.get_bind().dialect.name == "sqlite" else value


def _chunks(rows: Any) -> Iterator[Any]:
    for first in range(0, len(rows), _CHUNK):
        yield rows[first : first + _CHUNK]
