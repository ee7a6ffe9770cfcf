"""Answering a suspicion: who is said to be away and is not says so, at once and by himself."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

from contracts import Contracts
from contracts.errors import ChainError
from contracts.keys import Signer
from contracts.messages import Alive, sign
from contracts.parties import parties_in
from node_agent.engine.deposits import Deposits

log = logging.getLogger(__name__)

_LOOK_EVERY_S = 5.0  # agreements give minutes to hours to answer


class SignsOfLife:
    """Watches what is said of one node's organization, and answers with its key.

    ``status`` is what operators see: empty as long as nobody doubts.
    """

    def __init__(
        self, contracts: Contracts, agreement: bytes, registration: int, signer: Signer
    ) -> None:
        self._contracts, self._agreement = contracts, agreement
        self._registration, self._signer = registration, signer
        self._party: int | None = None
        self._told = ""
        self._deposits = Deposits(contracts, signer)
        self.status: dict[str, Any] = {}

    async def watch(self) -> None:
        """Until cancelled; the chain may be away meanwhile."""
        while True:
            try:
                await self._look()
                self._told = ""
            except ChainError as error:
                if str(error) != self._told:
                    log.warning("Cannot see whether we are suspected of absence: %s", error)
                self._told = str(error)
            await asyncio.sleep(_LOOK_EVERY_S)  # the chain sends no word

    async def _look(self) -> None:
        presence = self._contracts.presence
        if self._party is None:
            listed = await self._contracts.consortium.registrations(self._agreement)
            self._party = listed[self._registration].party
        case, away = await asyncio.gather(
            presence.suspicion(self._agreement, self._party), presence.away(self._agreement)
        )
        left_out = self._party in parties_in(away)
        if not case.open and not left_out:
            if self.status and "answered" not in self.status:
                self.status = {**self.status, "answered": True}
            await self._deposits.look(case.number)
            if self.status:
                self.status["collected_wei"] = self._deposits.collected_wei
            return
        self.status = {
            "number": case.number,
            "answer_by": case.answer_by,
            "left_out": left_out,
            "challenger": case.challenger,
        }
        log.warning(
            "Our organization is %s (suspicion %d): answering.",
            "left out of the rounds" if left_out else "suspected of being away",
            case.number,
        )
        alive = Alive(self._agreement, self._registration, case.number)
        signature = sign(self._contracts.domains.presence, alive, self._signer)
        await presence.alive(alive, signature, signer=self._signer)
        self.status["answered"] = True
        log.info("Answered.")
