"""Straight to the chain, without the marketplace in between."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from contracts.deployment import Contracts

T = TypeVar("T")


def on_chain(
    deployment: dict[str, Any], rpc_url: str, act: Callable[[Contracts], Awaitable[T]]
) -> T:
    """Connects, checks that the contracts are those of the deployment, and acts.

    Args:
        deployment: as `MarketClient.deployment` gives it.
        rpc_url: endpoint; empty for the one that the marketplace names.
        act: what is to be done.

    Raises:
        ChainError: nobody answers, or a contract refuses.
    """
    return asyncio.run(_connected(dict(deployment), rpc_url, act))


async def _connected(
    deployment: dict[str, Any], rpc_url: str, act: Callable[[Contracts], Awaitable[T]]
) -> T:
    # Slow to import, and most commands need neither.
    from contracts.chain import Chain
    from contracts.deployment import Contracts, Deployment

    endpoint = str(deployment.pop("rpc_url"))
    async with await Chain.connect(rpc_url or endpoint) as chain:
        contracts = Contracts.at(chain, Deployment.from_json(deployment))
        await contracts.check()
        return await act(contracts)
