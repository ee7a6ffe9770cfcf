"""Tells the marketplace what rounds cost: signed with the node's key, once and for all.

The journal remembers each signature before it leaves, so a restarted node says the same again. When
the marketplace does not listen, reports wait, and nothing else does.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from dataclasses import asdict
from typing import Any

from contracts.keys import Signer
from contracts.personal import personal_digest
from metering.usage import Usage
from node_agent.errors import AgentStateError, MarketplaceError
from node_agent.journal import Journal
from node_agent.usage.meter import Meter, Spent

log = logging.getLogger(__name__)

Send = Callable[[str, str], Awaitable[None]]
"""Hands over a report, as canonical JSON, and its signature, as 0x-hex. Raises MarketplaceError."""

_NOT_SHOWN = ("run", "node")  # the rest of the status has them
_AT_ONCE = 32  # after an outage; the rest goes with the next heartbeats
_NEVER_TAKEN = (409, 422)  # it contradicts what is known there, or cannot be meant


class UsageReports:
    """The reports of one node on one run."""

    def __init__(self, run: str, node: str, signer: Signer, journal: Journal, meter: Meter) -> None:
        """Nothing is signed yet.

        Args:
            run: 0x-hex id.
            node: SPIFFE ID.
            signer: the node's key.
            journal: keeps what was signed.
            meter: knows what rounds cost.
        """
        self._run, self._node, self._signer = run, node, signer
        self._journal, self._meter = journal, meter
        self._told = ""

    def usage(self, round_number: int, spent: Spent) -> Usage:
        """A round's cost in the units of a report."""
        return Usage(
            run=self._run,
            round=round_number,
            node=self._node,
            bytes_served=spent.bytes_served,
            bytes_fetched=spent.bytes_fetched,
            training_ms=round(spent.training_s * 1000),
            evaluation_ms=round(spent.evaluation_s * 1000),
            merge_ms=round(spent.merge_s * 1000),
            samples=spent.samples,
            restarts=spent.restarts,
            energy_j=None if spent.energy_j is None else round(spent.energy_j),
        )

    def status(self) -> dict[str, Any]:
        """The last round that is over, for operators; empty before there is one."""
        if self._meter.last is None:
            return {}
        usage = self.usage(*self._meter.last)
        shown = {name: value for name, value in asdict(usage).items() if name not in _NOT_SHOWN}
        return shown | {"waiting_reports": len(self._meter.over())}

    async def deliver(self, send: Send) -> None:
        """Hand over the reports that wait, oldest first, until one is not taken.

        Raises:
            MarketplaceError: the marketplace is away, or does not take them yet.
        """
        for number in self._meter.over()[:_AT_ONCE]:
            try:
                await send(*self._signed(number))
            except AgentStateError as error:
                log.error("No usage is reported: %s", error)
                return
            except MarketplaceError as error:
                if error.status not in _NEVER_TAKEN:
                    self._tell(error)
                    raise
                log.warning("The usage of round %d is not taken: %s", number, error)
            self._meter.forget(number)
            self._told = ""

    def _signed(self, round_number: int) -> tuple[str, str]:
        text = self.usage(round_number, self._meter.spent(round_number)).to_bytes().decode("ascii")
        # The journal goes by what a message follows. Usage follows no message: it has the run's id.
        entry = self._journal.sign_once(
            self._run,
            "usage",
            round_number,
            {"usage": text},
            lambda: "0x" + self._signer.sign(personal_digest(text)).hex(),
        )
        return str(entry.message["usage"]), entry.signature

    def _tell(self, error: MarketplaceError) -> None:
        """Say once why reports wait; that the marketplace is away is nothing to speak of."""
        if error.status and str(error) != self._told:
            self._told = str(error)
            log.info("Usage waits to be reported: %s", error)
