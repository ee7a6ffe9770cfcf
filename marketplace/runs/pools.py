"""The pool of a run: who paid in, and the transactions by which a wallet adds to it.

Tokens move only by a transaction of the wallet that has them: the contract takes them from whoever
calls it, with a signed permit too. So a funding is no posting of the relayer's; it is prepared
here, sent by the wallet, and shows in the index like one from anywhere else.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from contracts import Contracts
from marketplace.access import Caller
from marketplace.agreements.document import token_amount
from marketplace.errors import Conflict
from marketplace.money.amounts import must_have, wei_of
from marketplace.runs.readmodel import RunFigures, run_seen
from marketplace.storage.database import Database
from marketplace.storage.models import Event

LATEST = 6
"""Payments that are shown beside the sum."""
UNDO = (
    "What is in the pool leaves it as pay only. What has not vested when the run ends returns to "
    "its sponsor, whoever paid it in."
)


@dataclass(frozen=True, slots=True)
class Pools:
    """Everything about paying into pools that is not HTTP."""

    database: Database
    contracts: Contracts

    async def funding(self, caller: Caller, run_id: str, payer: str, tokens: str) -> dict[str, Any]:
        """What a wallet has to send to add to the pool of a run.

        Args:
            caller: anybody who may see the run; whoever has the tokens may add them.
            run_id: of a run that is not over.
            payer: address of the wallet.
            tokens: how many, as a decimal number.

        Returns:
            `run`, `chain_id`, `payer`, `amount_wei`, `balance_wei`, `effect`, and `transactions`
            in their order, each with `to`, `data` and `what`. The first one, which allows the
            second, is left out where the wallet has allowed as much before.

        Raises:
            NotFound: no such run that the caller may see.
            InvalidInput: no amount.
            Conflict: the pool is closed, or holds payments that are not final yet: whoever paid
                them, and sees nothing of them here, must not pay twice.
            ChainRefusal: the wallet has not that many tokens.
        """
        run = await self.database.read(run_seen, caller, run_id)
        amount_wei, key = wei_of(tokens), bytes.fromhex(run_id[2:])
        rewards, token = self.contracts.rewards, self.contracts.token
        pool, balance_wei, allowance_wei = await asyncio.gather(
            rewards.pool(key),
            token.balance_of(payer),
            token.allowance(payer, rewards.address),
        )
        if pool.closed:
            raise Conflict(f"{run.name} is over", hint="begin it anew, and fund that run")
        if pool.funded > run.funded_wei:
            raise Conflict(
                f"{token_amount(pool.funded - run.funded_wei)} tokens were paid into the pool of "
                f"{run.name} just now, and are not final yet",
                hint="wait until its page shows them; then pay in what is missing",
            )
        must_have(payer, balance_wei, amount_wei)
        told = f"{token_amount(amount_wei)} tokens"
        approve = token.call("approve", rewards.address, amount_wei)
        fund = rewards.call("fund", key, amount_wei)
        calls = [(fund, f"pay {told} into the pool of {run.name}")]
        if allowance_wei < amount_wei:
            calls.insert(0, (approve, f"let the pool take {told}, once"))
        return {
            "run": run_id,
            "chain_id": self.contracts.deployment.chain_id,
            "payer": payer,
            "amount_wei": str(amount_wei),
            "balance_wei": str(balance_wei),
            "transactions": [
                {"to": call.to, "data": "0x" + call.data.hex(), "what": what}
                for call, what in calls
            ],
            "effect": UNDO,
        }


def show(session: Session, run: RunFigures) -> dict[str, Any]:
    """Who sponsors the run, what was agreed, and the latest payments into its pool."""
    paid = sa.select(Event).where(Event.kind == "Funded", Event.run_id == run.run_id)
    latest = paid.order_by(Event.block.desc(), Event.log_index.desc()).limit(LATEST)
    return {
        "sponsor": run.terms.sponsor,
        "budget_wei": str(run.terms.budget),
        "missing_tokens": token_amount(max(run.terms.budget - run.funded_wei, 0)),
        "payments": [
            {
                "sender": event.data["sender"],
                "amount_wei": str(event.data["amount"]),
                "transaction": event.transaction,
                "block": event.block,
            }
            for event in session.scalars(latest)
        ],
        "undo": UNDO,
    }
