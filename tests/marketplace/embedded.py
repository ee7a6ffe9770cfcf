"""A chain and a marketplace in the test's own process, for all tests of a module: see `economy`."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from contracts.embedded import EmbeddedChain
from marketplace.app import Market
from tests.marketplace.economy import founded, opened


@pytest.fixture(scope="module")
def founding(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the marketplace; `embedded` fills it."""
    return tmp_path_factory.mktemp("economy") / "market"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def embedded(founding: Path) -> AsyncIterator[EmbeddedChain]:
    """A chain with the contracts on it."""
    async with EmbeddedChain() as running:
        await running.start(founding.parent / "chain")
        await founded(running, founding)
        yield running


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def market(embedded: EmbeddedChain, founding: Path) -> AsyncIterator[Market]:
    """The marketplace; its indexer moves only when the test says so."""
    async with opened(embedded, founding) as started:
        yield started
