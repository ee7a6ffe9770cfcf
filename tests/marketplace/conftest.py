"""One chain and one marketplace for all tests that can share them."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from contracts.keys import new_key
from scripts.ports import free_port
from tests.marketplace.databases import database_url, postgres
from tests.marketplace.embedded import embedded, founding, market
from tests.marketplace.processes import Process, run
from tests.marketplace.world import Federation, World

# Tests sign in more often than people do; what is limited, test_programs shows.
os.environ.setdefault("SWARM_MARKET_SIGN_INS_PER_MINUTE", "100000")
os.environ.setdefault("SWARM_MARKET_REQUESTS_PER_MINUTE", "100000")
__all__ = ["database_url", "embedded", "founding", "market", "postgres"]  # fixtures


@pytest.fixture(scope="session")
def world(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[World]:
    """A chain and a marketplace, started as an operator would start them.

    On SQLite; on PostgreSQL where SWARM_TEST_DATABASE says so: see `make test-postgresql`.
    """
    folder = tmp_path_factory.mktemp("market")
    admin, treasury = new_key(), new_key()
    chain_port, web_port, agent_port = free_port(), free_port(), free_port()
    run("init", str(folder), "--admin", admin.address)
    if os.environ.get("SWARM_TEST_DATABASE") == "postgresql":
        with (folder / "settings.toml").open("a") as settings:
            settings.write(f'database_url = "{request.getfixturevalue("postgres")()}"\n')
    started = World(
        folder,
        f"http://127.0.0.1:{web_port}",
        f"http://127.0.0.1:{chain_port}",
        admin,
        treasury,
    )
    with Process(
        *("chain", "--folder", str(folder), "--port", str(chain_port)),
        *("--treasury", treasury.address),
        log=folder / "chain.log",
    ) as chain:
        _wait_for_file(chain, folder / "deployment.json", started.rpc_url)
        with serving(started, agent_port) as market:
            market.wait_for(f"{started.market_url}/healthz")
            yield started


@pytest.fixture(scope="session")
def description(world: World) -> dict[str, Any]:
    """What the API says of itself."""
    url = f"{world.market_url}/api/openapi.json"
    found: dict[str, Any] = httpx.get(url, trust_env=False).json()
    return found


@pytest.fixture
def federation(world: World) -> Federation:
    return Federation(world)


@pytest.fixture(scope="module")
def running(world: World) -> Federation:
    """Nodes of three organizations, and a run with two sealed rounds."""
    federation = Federation(world)
    federation.train("shown-run", (1.5, {}), (1.0, {0: 7000, 1: 2000, 2: 1000}))
    return federation


def serving(world: World, agent_port: int) -> Process:
    """The marketplace of a world, as a process."""
    return Process(
        *("serve", "--folder", str(world.folder)),
        *("--rpc-url", world.rpc_url),
        *("--web-port", world.market_url.rpartition(":")[2]),
        *("--agent-port", str(agent_port)),
        log=world.folder / "serve.log",
    )


def _wait_for_file(process: Process, file: Path, url: str) -> None:
    import time

    process.wait_for(url)
    for _ in range(600):
        if file.exists():
            return
        time.sleep(0.05)  # the file is the sign that the contracts are there
    raise AssertionError(process.log.read_text())
