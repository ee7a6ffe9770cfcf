"""Writes the trail's head on chain from time to time.

As calldata of a transaction that the relayer sends to itself, worth nothing: no contract of ours
takes a hash from just anybody, and none is needed, for nobody but who reads the trail looks for it.
The data is `swarm-market trail 1` in ASCII, the entry's number in eight bytes, and its hash.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from typing import Final

import sqlalchemy as sa
from sqlalchemy.orm import Session

from contracts import Contracts
from contracts.chain import Chain
from contracts.errors import ChainError
from contracts.keys import Signer
from contracts.transactions import Call
from marketplace.settings import Settings
from marketplace.storage.database import Database
from marketplace.storage.models import Anchor, TrailEntry
from marketplace.trail import log

_LOG = logging.getLogger(__name__)
MAGIC: Final = b"swarm-market trail 1"


class Anchors:
    """Anchors the head every so often; the process that posts with the relayer's key does."""

    def __init__(
        self,
        database: Database,
        contracts: Contracts,
        signer: Signer,
        interval_s: int,
        clock: Callable[[], int],
    ) -> None:
        self._database = database
        self._contracts = contracts
        self._signer = signer
        self._interval_s = interval_s
        self._clock = clock

    async def run(self) -> None:
        """Anchors until it is cancelled."""
        while True:
            since_s = await self._database.read(_since)
            if since_s is not None and self._clock() >= since_s + self._interval_s:
                try:
                    await self.step()
                except (ChainError, sa.exc.OperationalError) as error:
                    _LOG.warning("the trail is not anchored, next try in a minute: %s", error)
            await asyncio.sleep(min(60, self._interval_s))  # the interval is the purpose

    async def step(self) -> Anchor | None:
        """Anchors the head, if there is anything new. Raises ChainError."""
        number, head = await self._database.read(log.head)
        last = await self._database.read(_last)
        if number == 0 or (last is not None and last.number >= number):
            return None
        call = Call(self._signer.address, data(number, head), "anchor the trail")
        receipt = await self._contracts.chain.transact(call, self._signer)
        anchor = Anchor(
            number=number,
            hash=head,
            transaction=receipt.transaction,
            block=receipt.block,
            at_s=self._clock(),
        )
        await self._database.write(_keep, anchor)
        _LOG.info("the trail up to entry %d is anchored: %s", number, receipt.transaction)
        return anchor


def data(number: int, head: str) -> bytes:
    """The calldata of an anchor."""
    return MAGIC + number.to_bytes(8, "big") + bytes.fromhex(head)


def kept(session: Session) -> Sequence[Anchor]:
    """The anchors, oldest first."""
    rows = session.scalars(sa.select(Anchor).order_by(Anchor.number)).all()
    session.expunge_all()
    return rows


async def compare(settings: Settings, anchors: Sequence[Anchor]) -> list[str]:
    """What on chain is not as the anchors say, each in a sentence. Raises ChainError."""
    if not anchors:
        return []
    broken: list[str] = []
    async with await Chain.connect(settings.rpc_url) as chain:
        for each in anchors:
            found = await chain.request("eth_getTransactionByHash", each.transaction)
            wanted = "0x" + data(each.number, each.hash).hex()
            if found is None:
                broken.append(f"the anchor of entry {each.number} is not on chain")
            elif found["input"] != wanted:
                broken.append(f"the anchor of entry {each.number} on chain has another hash")
    return broken


def _since(session: Session) -> int | None:
    """When the last anchor was made, or the first entry; None of an empty trail."""
    anchored = session.scalar(sa.select(sa.func.max(Anchor.at_s)))
    return anchored or session.scalar(sa.select(sa.func.min(TrailEntry.at_s)))


def _last(session: Session) -> Anchor | None:
    row = session.scalar(sa.select(Anchor).order_by(Anchor.number.desc()).limit(1))
    session.expunge_all()
    return row


def _keep(session: Session, anchor: Anchor) -> None:
    session.merge(anchor)
