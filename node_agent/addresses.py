"""Does a node's address lead to it; and where it has none, are there others that it reaches?"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterable
from typing import TYPE_CHECKING

from yarl import URL

from node_agent.config import Settings
from node_agent.errors import NodeError

if TYPE_CHECKING:
    from contracts.consortium import Registration

REACH_TIMEOUT_S = 5.0


class Concern(NodeError):
    """Something to know, but not in the way."""


async def leads_here(settings: Settings) -> str:
    """Whether a connection to the node's own URL arrives: at the agent, or at a stand-in for it.

    Raises Concern.
    """
    arrived = asyncio.Event()

    def arrive(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        arrived.set()
        writer.close()

    stand_in: asyncio.Server | None = None
    with contextlib.suppress(OSError):  # taken: then the agent itself is there
        stand_in = await asyncio.start_server(arrive, settings.listen_host, settings.listen_port)
    try:
        await _connect(settings.url, arrived if stand_in else None)
    except (OSError, TimeoutError) as error:
        raise Concern(
            f"{settings.url} does not lead here, seen from this machine: {error or 'no answer'}",
            hint="check name, firewall and port forwarding; a peer may see more than this machine",
        ) from error
    finally:
        if stand_in is not None:
            stand_in.close()
    return settings.url


async def others_reached(settings: Settings, registered: Iterable[Registration]) -> str:
    """Of a site that accepts no inbound connection: at least one other must let it in.

    Raises Concern.
    """
    listed = [each for each in registered if not each.until]
    others = {each.spiffe_id: each.url for each in listed if each.spiffe_id != settings.spiffe_id}
    with_address = {name: url for name, url in others.items() if url}
    if not with_address:
        raise Concern(
            "this node accepts no inbound connection, and no other one has an address",
            hint="at least one site of a run has to be enrolled with a URL that the others reach",
        )
    failures = await asyncio.gather(*map(_failure, with_address.values()))
    not_reached = [
        f"{name} at {with_address[name]} ({why})"
        for name, why in zip(with_address, failures, strict=True)
        if why
    ]
    if not_reached:
        raise Concern(
            f"this node opens all connections itself, and does not reach {', '.join(not_reached)}",
            hint="does the firewall let it out to there, and do their agents run?",
        )
    return f"accepts no inbound connections: reaches {', '.join(sorted(with_address))}"


async def _failure(url: str) -> str:
    """Why a TCP connection cannot be made; empty where it can."""
    try:
        await _connect(url)
    except (OSError, TimeoutError, ValueError) as error:
        return str(error) or "no answer"
    return ""


async def _connect(url: str, arrived: asyncio.Event | None = None) -> None:
    address = URL(url)
    async with asyncio.timeout(REACH_TIMEOUT_S):
        _, writer = await asyncio.open_connection(address.host, address.port)
        writer.close()
        if arrived is not None:
            await arrived.wait()
