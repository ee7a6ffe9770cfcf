"""Posts the outbox on chain, through a key that pays for gas and has no role.

A row is marked as sent before anything is sent, so a relayer that is killed at any point leaves
either nothing or a row that it looks into again. It may then post the same twice; the contracts
take it once. Whether it happened is not told by receipts but by the index, that is by final blocks.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable

import sqlalchemy as sa
from sqlalchemy.orm import Session

from contracts import Contracts
from contracts.errors import ChainError, ContractReverted, TransactionTimeout
from contracts.keys import Signer
from marketplace.chain import outbox
from marketplace.chain.indexer import indexed_block
from marketplace.chain.kinds import KINDS
from marketplace.chain.postings import Outcome, Posting
from marketplace.chain.trouble import Trouble
from marketplace.errors import MarketError
from marketplace.storage.database import Database
from marketplace.storage.models import Operation
from marketplace.trail.actor import acting_as

_LOG = logging.getLogger(__name__)
_LONGEST_PAUSE_S = 60


class Relayer:
    """Works through the outbox. One process at a time does with one key: see `duties`."""

    def __init__(
        self,
        database: Database,
        contracts: Contracts,
        catch_up: Callable[[], Awaitable[None]],
        signer: Signer,
        interval_s: float,
        clock: Callable[[], int],
    ) -> None:
        """Args: `catch_up` reads the chain, if this process is to, after something was posted."""
        self._database = database
        self._contracts = contracts
        self._catch_up = catch_up
        self._signer = signer
        self._interval_s = interval_s
        self._clock = clock

    @property
    def address(self) -> str:
        """The account that pays for gas."""
        return self._signer.address

    async def run(self) -> None:
        """Posts whatever comes in until it is cancelled."""
        trouble = Trouble(_LOG, "the outbox")
        acting_as("relayer")
        while True:
            try:
                while await self.step():
                    await self._catch_up()
                trouble.over()
            except (ChainError, MarketError, sa.exc.OperationalError) as error:
                trouble.is_(error)
            # Rows come from requests, of this process or another: the table is the queue.
            await asyncio.sleep(self._interval_s)

    async def step(self) -> bool:
        """Looks at every unfinished operation once.

        Returns:
            Whether anything was posted or refused, so that the index may know more now.
        """
        rows = await self._database.take(outbox.claim, self._signer.address, self._clock())
        return any(await asyncio.gather(*(self._advance(row) for row in rows)))

    async def _advance(self, row: Operation) -> bool:
        posting = KINDS[row.kind].read(row.payload)
        indexed, outcome = await self._database.read(self._known, posting)
        if outcome is not None:
            await self._conclude(row, outcome)
        elif row.refused_block is not None:
            # Refused may mean that it had happened before: wait until the index knows as much.
            if indexed >= row.refused_block:
                await self._fail(row, row.error or "", row.hint or "")
        elif row.posted_block is not None and indexed < row.posted_block:
            return False  # in a block, which is not final yet
        elif not self._pausing(row):
            return await self._post(row, posting)
        return False

    def _known(self, session: Session, posting: Posting) -> tuple[int, Outcome | None]:
        chain_id = self._contracts.deployment.chain_id
        return indexed_block(session, chain_id), posting.outcome(session)

    def _pausing(self, row: Operation) -> bool:
        # The first repetition comes at once: after a crash there is no reason to wait.
        pause_s = min(2 ** max(row.attempts - 2, 0), _LONGEST_PAUSE_S) if row.attempts > 1 else 0
        return self._clock() < row.updated_s + pause_s

    async def _post(self, row: Operation, posting: Posting) -> bool:
        if await posting.too_early(self._contracts, self._clock()):
            return False
        await self._database.write(outbox.sending, row.id, self._clock())
        try:
            receipt = await posting.post(self._contracts, self._signer)
        except ContractReverted as error:
            if await self._has_pending():
                return False  # perhaps refused because one of ours, not mined yet, does the same
            block = await self._contracts.chain.block_number()
            await self._database.write(
                outbox.refused, row.id, block, str(error), error.hint, self._clock()
            )
            return True
        except TransactionTimeout as error:
            _LOG.warning("operation %s (%s): %s", row.id, row.kind, error)
            await self._database.write(
                outbox.posted, row.id, error.transaction, None, self._clock()
            )
            return True
        except ChainError as error:
            _LOG.warning("operation %s (%s) has to wait: %s", row.id, row.kind, error)
            return False
        await self._database.write(
            outbox.posted, row.id, receipt.transaction, receipt.block, self._clock()
        )
        return True

    async def _has_pending(self) -> bool:
        chain, address = self._contracts.chain, self._signer.address
        pending = await chain.request("eth_getTransactionCount", address, "pending")
        mined = await chain.request("eth_getTransactionCount", address, "latest")
        return int(pending, 16) > int(mined, 16)

    async def _conclude(self, row: Operation, outcome: Outcome) -> None:
        if outcome.refusal:
            await self._fail(row, outcome.refusal, "")
            return
        await self._database.write(
            outbox.confirmed, row.id, outcome.transaction, outcome.result, self._clock()
        )
        _LOG.info("operation %s (%s) confirmed: %s", row.id, row.kind, outcome.transaction)

    async def _fail(self, row: Operation, error: str, hint: str) -> None:
        await self._database.write(outbox.failed, row.id, error, hint, self._clock())
        _LOG.warning("operation %s (%s) failed: %s", row.id, row.kind, error)
