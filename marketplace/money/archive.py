"""Statements of periods that are over, kept as they were handed out first.

What a statement says of the chain follows from its last block's hash, so it stands as long as the
chain has that block. What it says of sizes is what nodes had reported by then: it is kept so that
whoever asks again gets the same file, and not what came in later.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.orm import Session

from marketplace.money.envelope import Envelope
from marketplace.storage.models import KeptStatement
from metering import canonical

# Of each organization: the calendar's periods of five years, and then some.
MOST_EACH: Final = 100


@dataclass(frozen=True, slots=True)
class Issued:
    """A statement, and the names that people know its runs by."""

    envelope: Envelope
    run_names: Mapping[str, str]


def id_of(asked: Mapping[str, Any]) -> str:
    """The id of a statement: the hash of all that it follows from, but for the chain."""
    return hashlib.sha256(canonical.encode(dict(asked))).hexdigest()


def find(session: Session, statement_id: str) -> Issued | None:
    """A statement that was kept."""
    row = session.get(KeptStatement, statement_id)
    return None if row is None else Issued(Envelope.parse(row.data.encode()), row.run_names)


def keep(session: Session, statement_id: str, wallet: str, issued: Issued, now_s: int) -> Issued:
    """Keeps a statement in place of one whose blocks are gone; gives the one that is kept.

    Another process may have made one over the same blocks meanwhile: that one stays.
    """
    period = issued.envelope.statement.period
    row = session.get(KeptStatement, statement_id)
    if row is not None and row.last_block_hash == period.last_block_hash:
        return Issued(Envelope.parse(row.data.encode()), row.run_names)
    session.merge(
        KeptStatement(
            id=statement_id,
            wallet=wallet,
            last_block=period.last_block,
            last_block_hash=period.last_block_hash,
            data=issued.envelope.to_bytes().decode("ascii"),
            run_names=dict(issued.run_names),
            made_s=now_s,
        )
    )
    session.flush()
    newest = (
        sa.select(KeptStatement.id)
        .where(KeptStatement.wallet == wallet)
        .order_by(KeptStatement.made_s.desc(), KeptStatement.id)
        .limit(MOST_EACH)
    )
    surplus = sa.delete(KeptStatement).where(
        KeptStatement.wallet == wallet, KeptStatement.id.not_in(newest)
    )
    session.execute(surplus, execution_options={"synchronize_session": False})
    return issued
