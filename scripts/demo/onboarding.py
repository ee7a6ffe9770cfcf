"""Through the marketplace's public API, as admin, owners and operators would do it."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Awaitable, Callable, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any, TypeVar

from contracts import Contracts
from marketplace.client import MarketClient
from marketplace.errors import Unavailable
from scripts.demo.parties import ADMIN, INSTITUTES, Institute, Wallet
from scripts.demo.processes import Processes
from scripts.ports import free_port

T = TypeVar("T")

MARKETPLACE = "marketplace"
_BIN = Path(sys.executable).parent
_UP_TIMEOUT_S = 60.0
_ENROLL_TIMEOUT_S = 60.0
_CHAIN_TIMEOUT_S = 60.0


async def start_marketplace(
    processes: Processes, folder: Path, admin: str, ready: Awaitable[Contracts]
) -> str:
    """Makes a marketplace in `folder` and serves it once the chain is `ready`; returns its URL.

    The addresses of the contracts are in the folder by then.
    """
    command: list[str | Path] = [_BIN / "swarm-market", "init", folder, "--admin", admin]
    await processes.run("marketplace-init", command, _UP_TIMEOUT_S)
    web_port, agent_port = free_port(), free_port()
    environment = {
        "SWARM_MARKET_RPC_URL": (await ready).chain.rpc_url,
        "SWARM_MARKET_WEB_PORT": str(web_port),
        "SWARM_MARKET_AGENT_PORT": str(agent_port),
        "SWARM_MARKET_PUBLIC_DASHBOARD": "true",
        # Nobody else is on this chain: looking often costs little, and the demo waits less.
        "SWARM_MARKET_INDEX_INTERVAL_MS": "100",
        "SWARM_MARKET_POST_INTERVAL_MS": "50",
    }
    command = [_BIN / "swarm-market", "serve", "--folder", folder]
    await processes.start(MARKETPLACE, command, environment)
    url = f"http://127.0.0.1:{web_port}"

    async def answers() -> bool | None:
        try:
            with MarketClient(url) as client:
                return bool(await asyncio.to_thread(client.deployment))
        except Unavailable:
            return None

    await processes.until("start of the marketplace", answers, _UP_TIMEOUT_S, needs=[MARKETPLACE])
    return url


class Onboarding:
    """The people's sessions with the marketplace."""

    def __init__(self, url: str, wallets: Mapping[str, Wallet], processes: Processes) -> None:
        self._stack = ExitStack()
        self._processes = processes
        self._clients = {
            name: self._stack.enter_context(MarketClient(url, wallet.signer))
            for name, wallet in wallets.items()
        }

    def close(self) -> None:
        """End the sessions."""
        self._stack.close()

    async def agree(self, draft: Mapping[str, Any]) -> str:
        """The admin drafts, everybody signs; returns the id once it is in force on chain."""
        made = await self._as(ADMIN, lambda client: client.draft(dict(draft)))
        agreement: str = made["id"]
        await asyncio.gather(
            *(
                self._as(each.key, lambda client: client.sign_agreement(agreement))
                for each in INSTITUTES
            )
        )
        shown = await self._as(ADMIN, lambda client: client.agreement(agreement))
        await self._confirmed(ADMIN, shown["operation"])
        return agreement

    async def enroll(self, agreement: str, folders: Mapping[str, Path]) -> None:
        """Each institute: a token, `swarm-node enroll` at the site, the owner's approval."""
        await asyncio.gather(
            *(self._enroll(agreement, each, folders[each.key]) for each in INSTITUTES)
        )

    async def create_run(self, agreement: str, name: str) -> bytes:
        """The first institute asks for the run; returns its id once it is on chain."""
        owner = INSTITUTES[0].key
        operation = await self._as(owner, lambda client: client.create_run(agreement, name))
        done = await self._confirmed(owner, operation)
        return bytes.fromhex(done["result"]["run"][2:])

    async def claim(self, run_id: bytes) -> None:
        """Each institute claims what it earned, and waits until it is paid."""
        run = "0x" + run_id.hex()

        async def claim(each: Institute) -> None:
            earned = await self._as(each.key, lambda client: client.earnings(run))
            mine = (o for o in earned["organizations"] if o["organization"] == each.organization)
            if any(int(account["claimable_wei"]) for account in mine):
                operation = await self._as(
                    each.key, lambda client: client.claim(run, each.organization)
                )
                await self._confirmed(each.key, operation)

        await asyncio.gather(*map(claim, INSTITUTES))

    async def _enroll(self, agreement: str, each: Institute, folder: Path) -> None:
        made = await self._as(
            each.key,
            lambda client: client.enrollment_token(agreement, each.organization, each.node),
        )
        name, port = f"enroll-{each.key}", free_port()
        command: list[str | Path] = [
            _BIN / "swarm-node", "enroll", "--folder", folder, "--json",
            "--url", f"https://127.0.0.1:{port}", "--listen", f"127.0.0.1:{port}",
        ]  # fmt: skip
        # The token is a secret: other users can read command lines, not environments.
        environment = {"SWARM_ENROLLMENT_TOKEN": made["token"]}
        shown = json.loads(await self._processes.run(name, command, _ENROLL_TIMEOUT_S, environment))
        waiting = await self._as(each.key, lambda client: client.enrollments(agreement))
        # What an owner checks before he signs: that it is his node's key that asks.
        mine = next(item for item in waiting if item["key"] == shown["key"])
        approved = await self._as(each.key, lambda client: client.approve(mine))
        await self._confirmed(each.key, approved["operation"])

    async def _confirmed(self, name: str, operation: Mapping[str, Any]) -> dict[str, Any]:
        identifier = operation["id"]
        return await self._as(name, lambda client: client.wait(identifier, _CHAIN_TIMEOUT_S))

    async def _as(self, name: str, do: Callable[[MarketClient], T]) -> T:
        return await asyncio.to_thread(do, self._clients[name])
