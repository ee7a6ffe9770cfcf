"""What comes back from a peer: read within limits, or turned into an error that says why."""

from __future__ import annotations

import json
from pathlib import Path
from typing import cast

import aiohttp
from aiohttp.connector import Connection
from blake3 import blake3

from node_agent.errors import AgentStateError, PeerError
from node_agent.identity.tls import PeerConnection
from node_agent.peers.protocol import Peer, Reason

PROBLEM_LIMIT_BYTES = 64 << 10


class PeerResponse(aiohttp.ClientResponse):
    """Remembers the TLS connection that it came over: aiohttp lets go of it with the last byte."""

    tls: PeerConnection

    async def start(self, connection: Connection) -> PeerResponse:
        transport = connection.transport
        if transport is None:
            raise aiohttp.ServerDisconnectedError
        self.tls = cast(PeerConnection, transport.get_extra_info("ssl_object"))
        await super().start(connection)
        return self


class Exchange:
    """One request under way; `waiting_for` says in an error what did not come."""

    def __init__(self, response: PeerResponse) -> None:
        self.response = response
        self.received_bytes = 0  # of a file
        self.waiting_for = "the whole answer"


async def save(exchange: Exchange, path: Path, size: int) -> str:
    """Writes the body to a new file; returns its BLAKE3 in hex.

    On the loop's own thread: handing blocks to another one was measured to cost more than hashing
    and writing them. Raises AgentStateError when the disk is full or broken.
    """
    hasher = blake3()
    try:
        with path.open("xb") as file:
            async for chunk in exchange.response.content.iter_any():
                exchange.received_bytes += len(chunk)
                exchange.waiting_for = (
                    f"a file ({exchange.received_bytes} of {size} bytes had come)"
                )
                hasher.update(chunk)
                file.write(chunk)
    except OSError as error:
        raise AgentStateError(f"cannot write {path.parent}: {error.strerror}") from error
    return hasher.hexdigest()


async def read_json(peer: Peer, response: PeerResponse, limit_bytes: int) -> object:
    body = bytearray()
    async for chunk in response.content.iter_any():
        body += chunk
        if len(body) > limit_bytes:
            response.close()
            raise nonsense(peer, f"its answer is longer than {limit_bytes} bytes")
    try:
        return json.loads(bytes(body))
    except (ValueError, RecursionError) as error:
        raise nonsense(peer, "its answer is not JSON") from error


async def refusal(peer: Peer, response: PeerResponse) -> PeerError:
    reasons = {
        403: Reason.IDENTITY,
        404: Reason.NOT_FOUND,
        408: Reason.TIMEOUT,
        426: Reason.VERSION,
    }
    reason = reasons.get(
        response.status, Reason.UNREACHABLE if response.status >= 500 else Reason.REFUSED
    )
    detail, hint = f"HTTP {response.status}", ""
    if response.content_type == "application/problem+json":
        problem = await read_json(peer, response, PROBLEM_LIMIT_BYTES)
        if isinstance(problem, dict):
            detail, hint = str(problem.get("detail", detail)), str(problem.get("hint", ""))
    return PeerError(f"{peer.spiffe_id} says: {detail}", reason=reason, hint=hint)


def nonsense(peer: Peer, why: str) -> PeerError:
    return PeerError(
        f"{peer.spiffe_id} broke the protocol: {why}",
        reason=Reason.PROTOCOL,
        hint="do all nodes run versions that fit?",
    )
