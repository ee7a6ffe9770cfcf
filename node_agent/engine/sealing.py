"""Step 6 of a round: the agreed seal onto the chain, by whoever is there to post it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator

from contracts.errors import ChainError
from contracts.messages import Attestation
from node_agent.engine.book import Book
from node_agent.engine.chain import RunChain
from node_agent.engine.late import LateBooks
from node_agent.engine.tally import Tally

log = logging.getLogger(__name__)

_RETRY_S = 1.0  # after the chain did not take it
_AGAIN_S = 30.0  # a reorganization may have taken the seal back


def turn_to_post_s(book: Book, attestation: Attestation, own: int, stagger_s: float) -> float:
    """How long this node waits for the others: the leader posts at once, then rank by rank.

    ``stagger_s``: between two turns.
    """
    ranks = [peer.registration for peer in book.leaders]
    leader = ranks.index(book.leader(attestation.term).registration)
    place = ranks.index(own) if own in ranks else len(ranks)
    return stagger_s * ((place - leader) % (len(ranks) + 1))


async def post_again_and_again(
    chain: RunChain, tally: Tally, late: LateBooks | None
) -> AsyncIterator[str]:
    """Post a seal until the caller, who sees it on the chain, stops; yields our transactions.

    Under `local` metering with what is ``late`` of the round before.
    """
    told = ""
    while True:
        try:
            transaction = await chain.post_seal(tally, await late.collect() if late else None)
        except ChainError as error:
            if str(error) != told:
                told = str(error)
                log.warning("Round %d is not sealed yet: %s", tally.attestation.round, told)
            await asyncio.sleep(_RETRY_S)
            continue
        if transaction:
            yield transaction
        chain.hint()
        await asyncio.sleep(_AGAIN_S)
