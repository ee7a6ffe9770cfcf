"""kill -9 of the whole process between sending and confirming."""

from __future__ import annotations

import dataclasses
import shutil
from pathlib import Path
from typing import Any

import httpx

from marketplace.client import MarketClient
from scripts.ports import free_port
from tests.marketplace.conftest import serving
from tests.marketplace.processes import run
from tests.marketplace.world import Federation, World, eventually


def test_a_marketplace_killed_between_send_and_confirm_goes_on_where_it_was(
    world: World, tmp_path: Path
) -> None:
    folder = tmp_path / "market"
    run("init", str(folder), "--admin", world.admin.address)
    shutil.copy(world.folder / "deployment.json", folder)
    url = f"http://127.0.0.1:{free_port()}"
    federation = Federation(dataclasses.replace(world, folder=folder, market_url=url))
    agent_port = free_port()
    try:
        rpc(world, "evm_setAutomine", False)
        market = serving(federation.world, agent_port)
        market.wait_for(f"{url}/healthz")
        federation.draft()
        for name in federation.wallets:
            with federation.owner(name) as owner:
                shown = owner.sign_agreement(federation.agreement_id)
        with federation.owner("clinic-a") as owner:
            eventually(lambda: pool(world), lambda waiting: waiting == 1)
            assert state(owner, shown) == "sent"
        market.kill()
    finally:
        rpc(world, "evm_setAutomine", True)
    rpc(world, "evm_mine")
    with serving(federation.world, agent_port) as restarted:
        restarted.wait_for(f"{url}/healthz")
        with federation.owner("clinic-a") as owner:
            done = owner.wait(shown["operation"]["id"])
            assert owner.agreement(federation.agreement_id)["state"] == "active"
    assert done["transaction"].startswith("0x")
    relayer = federation.world.relayer().address
    assert rpc(world, "eth_getTransactionCount", relayer, "latest") == "0x1"


def state(owner: MarketClient, agreement: dict[str, Any]) -> str:
    return str(owner.operation(agreement["operation"]["id"])["state"])


def pool(world: World) -> int:
    """How many transactions wait to be mined."""
    return int(rpc(world, "txpool_status")["pending"], 16)


def rpc(world: World, method: str, *parameters: Any) -> Any:
    body = {"jsonrpc": "2.0", "id": 1, "method": method, "params": list(parameters)}
    return httpx.post(world.rpc_url, json=body, trust_env=False).json()["result"]
