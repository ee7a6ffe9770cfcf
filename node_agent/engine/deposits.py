"""Collecting what suspicions have deposited for answers: it goes to the node's key, for its gas.

The contract owes a deposit as soon as the answer is in, and pays what it owes once: so the chain is
all the memory that this needs, across crashes too. Collecting costs less than half of the gas that
a deposit has to pay for.
"""

from __future__ import annotations

import asyncio
import logging

from contracts import Contracts
from contracts.errors import ChainError, ContractReverted
from contracts.keys import Signer

log = logging.getLogger(__name__)

_TRIES = 3
_AGAIN_S = 600.0  # after a transaction that failed: its gas may be spent


class Deposits:
    """What a node's key is owed, looked after by ``look``; ``collected_wei`` since the start."""

    def __init__(self, contracts: Contracts, signer: Signer) -> None:
        self._contracts, self._signer = contracts, signer
        self._done_after = -1
        """The suspicion after which nothing more is owed, or has been given up."""
        self._seen_at: int | None = None  # block
        self._tries, self._not_before_s = 0, 0.0
        self.collected_wei = 0

    async def look(self, number: int) -> None:
        """One look, and at most one transaction; ``number``: of the latest suspicion.

        Raises ChainError when the chain cannot be read.
        """
        now_s = asyncio.get_running_loop().time()
        if number == self._done_after or now_s < self._not_before_s:
            return
        chain, presence = self._contracts.chain, self._contracts.presence
        owed_wei = await presence.owed(self._signer.address)
        if not owed_wei:
            self._finish(number)
            return
        if self._seen_at is None:
            self._seen_at = await chain.block_number()
        if await chain.final_block_number() < self._seen_at:
            return  # a reorganization may take the answer back
        self._tries += 1
        try:
            await presence.collect(self._signer.address, signer=self._signer)
        except ChainError as error:
            # Anyone may have collected it for us meanwhile.
            if not (isinstance(error, ContractReverted) and error.name == "Presence_NothingOwed"):
                self._fail(number, owed_wei, error)
                return
        self.collected_wei += owed_wei
        log.info("Collected %d wei, deposited for our sign of life.", owed_wei)
        self._finish(number)

    def _finish(self, number: int) -> None:
        self._done_after, self._seen_at, self._tries = number, None, 0

    def _fail(self, number: int, owed_wei: int, error: ChainError) -> None:
        self._not_before_s = asyncio.get_running_loop().time() + _AGAIN_S
        log.warning("%d wei that we are owed are not collected: %s", owed_wei, error)
        if self._tries == _TRIES:
            log.warning("Given up; anyone may collect them for %s.", self._signer.address)
            self._finish(number)
