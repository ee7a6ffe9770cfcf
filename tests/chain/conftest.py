"""A chain of its own for every test: it starts faster than its traces could be cleared."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from contracts.chain import Chain
from contracts.deployment import Contracts, deploy
from contracts.embedded import EmbeddedChain
from contracts.keys import Signer

CAP_WEI = 10**27
# As on a network where blocks come by the clock; without it each transaction makes its own.
BLOCK_TIME_S = int(os.environ.get("SWARM_BLOCK_TIME_S", "0")) or None


@pytest.fixture
def block_time_s() -> int | None:
    """Between two blocks of the chain; a module may have another."""
    return BLOCK_TIME_S


@pytest.fixture
async def embedded(tmp_path: Path, block_time_s: int | None) -> AsyncIterator[EmbeddedChain]:
    async with EmbeddedChain() as running:
        await running.start(tmp_path / "chain", block_time_s=block_time_s)
        yield running


@pytest.fixture
def treasury(embedded: EmbeddedChain) -> Signer:
    return embedded.deployer


@pytest.fixture
async def chain(embedded: EmbeddedChain) -> AsyncIterator[Chain]:
    async with await Chain.connect(embedded.rpc_url) as connected:
        yield connected


@pytest.fixture
async def contracts(chain: Chain, treasury: Signer) -> Contracts:
    deployment = await deploy(chain, treasury, treasury.address, "Swarm", CAP_WEI)
    return Contracts.at(chain, deployment)
