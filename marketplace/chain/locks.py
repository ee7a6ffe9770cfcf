"""One writer at a time of what comes from the chain, in however many processes."""

from __future__ import annotations

from typing import Final

import sqlalchemy as sa
from sqlalchemy.orm import Session

# Any number that no other program on the database takes for its advisory locks.
_INDEX: Final = 0x5157


def lock(session: Session, chain_id: int) -> None:
    """Waits until nobody else writes what comes from this chain; holds until the transaction ends.

    On SQLite there is one writer anyway.
    """
    if session.get_bind().dialect.name == "postgresql":
        session.execute(sa.select(sa.func.pg_advisory_xact_lock(_INDEX, chain_id % 2**31)))
