"""Reads confirmed events into the database, and takes back what a reorganization took back."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence

import sqlalchemy as sa
from sqlalchemy.orm import Session

from contracts import Contracts, events
from contracts.deployment import Deployment
from contracts.errors import ChainError
from marketplace.chain import books, details, projections
from marketplace.chain.locks import lock
from marketplace.chain.outbox import CONFIRMED, SENT
from marketplace.chain.records import Record, matters, record_of
from marketplace.chain.trouble import Trouble
from marketplace.errors import MarketError
from marketplace.money import announcements
from marketplace.money.announcements import Notices
from marketplace.storage.database import Database
from marketplace.storage.models import Cursor, Event, Operation
from marketplace.storage.models.ledger import Block

_LOG = logging.getLogger(__name__)
# Blocks read and stored in one go: what a crash makes us read again.
_CHUNK_BLOCKS = 2_000


class Indexer:
    """Follows one deployment on one chain; resumes where it, or a killed one, stopped."""

    def __init__(
        self,
        database: Database,
        contracts: Contracts,
        interval_s: float,
        first_block: int,
        notices: Notices | None = None,
    ) -> None:
        self._database = database
        self._contracts = contracts
        self._chain_id = contracts.deployment.chain_id
        self._interval_s = interval_s
        self._first_block = first_block
        self._notices = notices or Notices()
        self._reading = asyncio.Lock()

    async def run(self) -> None:
        """Keeps the index up to date until it is cancelled."""
        trouble = Trouble(_LOG, "the index")
        while True:
            try:
                await self.catch_up()
                trouble.over()
            except (ChainError, MarketError, sa.exc.OperationalError) as error:
                trouble.is_(error)
            # An endpoint behind HTTP announces no blocks: one has to look.
            await asyncio.sleep(self._interval_s)

    async def catch_up(self) -> None:
        """Reads up to the latest final block.

        Raises:
            ChainError: the chain does not answer.
            LedgerMismatch: see `projections.store`.
        """
        async with self._reading:
            chain = self._contracts.chain
            final = await chain.final_block_number()
            block = await self._common_block()
            while block < final:
                last = await chain.block(min(block + _CHUNK_BLOCKS, final))
                if last is None:
                    return
                found = await self._read(block + 1, last.number)
                # If the chain changed its mind meanwhile, what was read may be of either branch.
                after = await chain.block(last.number)
                if found is None or after is None or after.hash != last.hash:
                    return
                stored = await self._database.write(
                    _store,
                    self._contracts.deployment,
                    found,
                    self._notices,
                    (block, last.number, last.hash),
                )
                if not stored:
                    return
                block = last.number

    async def _read(self, first: int, last: int) -> list[Record] | None:
        """The records of these blocks, complete; None if a block vanished meanwhile."""
        deployment = self._contracts.deployment
        logs = await events.logs(self._contracts.chain, deployment, first, last)
        found = [each for each in logs if matters(deployment, each)]
        times = await details.block_times(self._contracts, (each.block for each in found))
        if any(each.block not in times for each in found):
            return None
        records = [record_of(deployment, each, times[each.block]) for each in found]
        return await details.complete(self._contracts, records)

    async def _common_block(self) -> int:
        """The block to read on from: the last read one, if it is still part of the chain."""
        cursor = await self._database.read(_cursor, self._chain_id)
        if cursor is None:
            return self._first_block - 1
        if await self._on_chain(*cursor):
            return cursor[0]
        known = await self._database.read(_blocks, self._chain_id)
        kept = await self._count_on_chain(known)
        block, block_hash = known[kept - 1] if kept else (self._first_block - 1, "")
        removed = await self._database.write(_take_back, self._chain_id, block, block_hash)
        _LOG.warning("the chain was reorganized after block %d: %d events gone", block, removed)
        return block

    async def _count_on_chain(self, blocks: Sequence[tuple[int, str]]) -> int:
        """How many of the blocks, in ascending order, are still there: the first so many."""
        low, high = 0, len(blocks)
        while low < high:
            middle = (low + high + 1) // 2
            if await self._on_chain(*blocks[middle - 1]):
                low = middle
            else:
                high = middle - 1
        return low

    async def _on_chain(self, number: int, block_hash: str) -> bool:
        block = await self._contracts.chain.block(number)
        return block is not None and block.hash == block_hash


def indexed_block(session: Session, chain_id: int) -> int:
    """The last block that was read; -1 before the first."""
    cursor = session.get(Cursor, chain_id)
    return -1 if cursor is None else cursor.block


def _cursor(session: Session, chain_id: int) -> tuple[int, str] | None:
    row = session.get(Cursor, chain_id)
    return None if row is None else (row.block, row.block_hash)


def _blocks(session: Session, chain_id: int) -> Sequence[tuple[int, str]]:
    query = sa.select(Event.block, Event.block_hash).where(Event.chain_id == chain_id)
    return [(row[0], row[1]) for row in session.execute(query.distinct().order_by(Event.block))]


def _store(
    session: Session,
    deployment: Deployment,
    found: Sequence[Record],
    notices: Notices,
    read: tuple[int, int, str],
) -> bool:
    """Stores what was read from one block on to another; False if somebody else was faster."""
    lock(session, deployment.chain_id)
    before, block, block_hash = read
    cursor = session.get(Cursor, deployment.chain_id)
    if cursor is not None and cursor.block != before:
        return False
    projections.store(session, deployment, found, notices)
    session.merge(Cursor(chain_id=deployment.chain_id, block=block, block_hash=block_hash))
    return True


def _take_back(session: Session, chain_id: int, block: int, block_hash: str) -> int:
    """Forgets all events after a block, and what was confirmed by them; reverses their entries."""
    lock(session, chain_id)
    cursor = session.get(Cursor, chain_id)
    if cursor is None or cursor.block < block:
        return 0  # another process did it
    books.take_back(session, chain_id, block)
    announcements.withdraw(session, block)
    vanished = (Event.chain_id == chain_id, Event.block > block)
    transactions = sa.select(Event.transaction).where(*vanished)
    session.execute(
        sa.update(Operation)
        .where(Operation.state == CONFIRMED, Operation.transaction.in_(transactions))
        .values(state=SENT, posted_block=None, refused_block=None, result=None)
        .execution_options(synchronize_session=False)
    )
    removed = session.scalar(sa.select(sa.func.count(Event.id)).where(*vanished)) or 0
    session.execute(sa.delete(Event).where(*vanished).execution_options(synchronize_session=False))
    session.execute(sa.delete(Block).where(Block.chain_id == chain_id, Block.number > block))
    if block_hash:
        cursor.block, cursor.block_hash = block, block_hash
    else:
        session.delete(cursor)
    return removed
