"""A chain of its own for every test: it starts faster than its traces could be cleared."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from contracts.chain import Chain
from contracts.deployment import Contracts, deploy
from contracts.embedded import EmbeddedChain
from contracts.keys import Signer

CAP_WEI = 10**27


@pytest.fixture
async def embedded(tmp_path: Path) -> AsyncIterator[EmbeddedChain]:
    async with EmbeddedChain() as running:
        await running.start(tmp_path / "chain")
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
