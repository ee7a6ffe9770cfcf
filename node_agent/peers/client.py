"""Asks peers, and tells them: HTTP over mutual TLS, a few kept connections per peer."""

from __future__ import annotations

import asyncio
import contextlib
import os
import secrets
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import aiohttp

from node_agent.errors import MessageRefused, PeerError
from node_agent.identity.binding import NodeIdentity
from node_agent.peers.answers import (
    PROBLEM_LIMIT_BYTES,
    Exchange,
    PeerResponse,
    nonsense,
    read_json,
    refusal,
    save,
)
from node_agent.peers.caller import Caller, address_of, misplaced
from node_agent.peers.failures import explained
from node_agent.peers.laying import LineLayer
from node_agent.peers.lines import Exchange as Lines
from node_agent.peers.protocol import (
    HELD_LIMIT_BYTES,
    MESSAGE_LIMIT_BYTES,
    Directory,
    Envelope,
    Peer,
    Reason,
    Traffic,
    encode,
)
from node_agent.peers.sessions import Sessions
from node_agent.peers.tunnels import Tunnels
from node_agent.peers.versions import LINES, Spoken, Versions

Query = Callable[[int], Mapping[str, str]]
"""What a request asks for, in a version of the protocol."""

FILES_PER_PEER = 2  # at once: the other connections are for messages, which must not wait for files
DETOUR_S = 60.0  # then the direct way is tried again


class PeerClient:
    """Speaks to peers. What goes wrong with them is a PeerError; its `reason` says what kind."""

    def __init__(
        self,
        identity: NodeIdentity,
        directory: Directory,
        traffic: Traffic | None = None,
        lines: Lines | None = None,
        spoken: Spoken | None = None,
    ) -> None:
        self._caller = Caller(identity, directory)
        self._traffic = traffic or Traffic()
        self._fetching: defaultdict[str, asyncio.Semaphore] = defaultdict(
            lambda: asyncio.Semaphore(FILES_PER_PEER)
        )
        self._sessions = Sessions()
        self._spoken = spoken or Spoken()
        self._layer = LineLayer(self._caller, self._sessions, self._spoken)
        self.lines = lines or Lines()
        self._tunnels = Tunnels(
            self.lines, directory, lambda: self._caller.spiffe_id, self._layer.borrow
        )
        self.detours = False
        """Whether to try a line where a peer does not answer at its URL: he may be as we are."""
        self._detour_until_s: dict[str, float] = {}

    async def lay_line(self, peer: Peer) -> aiohttp.ClientWebSocketResponse:
        """Leave an idle line with a peer; see ``peers.lines``."""
        return await self._layer.lay(peer)

    async def send(self, peer: Peer, envelope: Envelope, timeout_s: float) -> None:
        """Delivers a message; returns when the peer has taken it."""
        body = encode(envelope)
        if len(body) > MESSAGE_LIMIT_BYTES:
            raise PeerError(
                f"a message of {len(body)} bytes is more than a peer accepts", reason=Reason.REFUSED
            )
        self._traffic.sent_bytes += len(body)
        headers = {"Content-Type": "application/json"}
        async with self._ask("POST", peer, "/v1/messages", timeout_s, data=body, headers=headers):
            pass

    async def held(self, peer: Peer, run: str, prev: str, timeout_s: float) -> list[Envelope]:
        """All messages that the peer holds for that `prev`; nothing in them is verified."""
        query = {"run": run, "prev": prev}
        async with self._ask(
            "GET", peer, "/v1/messages", timeout_s, params=lambda _: query
        ) as exchange:
            listed = await read_json(peer, exchange.response, HELD_LIMIT_BYTES)
        if not isinstance(listed, list):
            raise nonsense(peer, "its messages are not a list")
        try:
            return [Envelope.from_json(each) for each in listed]
        except MessageRefused as error:
            raise nonsense(peer, error.reason) from error

    async def status(self, peer: Peer, timeout_s: float) -> dict[str, Any]:
        """What the peer says about itself; that it answers at all is the sign of life."""
        async with self._ask("GET", peer, "/v1/status", timeout_s) as exchange:
            status = await read_json(peer, exchange.response, PROBLEM_LIMIT_BYTES)
        if not isinstance(status, dict):
            raise nonsense(peer, "its status is not an object")
        return status

    async def fetch(
        self,
        peer: Peer,
        root: str,
        destination: Path,
        size: int,
        timeout_s: float,
        *,
        wait_s: float = 0.0,
    ) -> None:
        """Fetches the file of `size` bytes whose BLAKE3 is `root` (64 hex digits) to `destination`.

        `wait_s`: how long the peer may take to get the file himself.

        The file appears there only whole and right: it is hashed on its way to a temporary file
        next to it, which is removed if anything fails. It is not flushed to the disk: after a power
        cut, hash it again.
        """

        def query(version: int) -> dict[str, str]:
            return {"wait": str(int(wait_s * 1000))} if wait_s and version >= LINES else {}

        async with (
            self._fetching[peer.spiffe_id],
            self._ask("GET", peer, f"/v1/files/{root}", timeout_s, params=query) as exchange,
        ):
            announced = exchange.response.content_length
            if announced != size:
                raise PeerError(
                    f"{peer.spiffe_id} offers {announced} bytes for {root}, not {size}",
                    reason=Reason.SIZE,
                )
            temporary = destination.with_name(f".{destination.name}.{secrets.token_hex(8)}")
            try:
                found = await save(exchange, temporary, size)
                if found != root:
                    raise PeerError(
                        f"the file from {peer.spiffe_id} is not {root} but {found}",
                        reason=Reason.HASH,
                    )
                os.replace(temporary, destination)
            finally:
                self._traffic.fetched_bytes += exchange.received_bytes
                temporary.unlink(missing_ok=True)

    async def close(self) -> None:
        """Closes all connections."""
        await self._tunnels.close()
        await self.lines.close()
        await self._sessions.close()

    @contextlib.asynccontextmanager
    async def _ask(
        self,
        method: str,
        peer: Peer,
        path: str,
        timeout_s: float,
        *,
        params: Query = lambda version: {},
        **options: Any,
    ) -> AsyncIterator[Exchange]:
        """One request; the answer is that of the peer itself, and not an error."""
        exchange: Exchange | None = None
        with explained(peer, timeout_s, lambda: exchange.waiting_for if exchange else "an answer"):
            async with asyncio.timeout(timeout_s):
                response = await self._answer(method, peer, path, params, options)
                exchange = Exchange(response)
                async with response:
                    if not self._spoken.understands(peer.spiffe_id):
                        raise self._spoken.mismatch(peer.spiffe_id)
                    if response.status >= 400:
                        raise await refusal(peer, response)
                    if response.status not in (200, 204):
                        raise nonsense(peer, f"it answered with HTTP {response.status}")
                    yield exchange

    async def _answer(
        self, method: str, peer: Peer, path: str, params: Query, options: Mapping[str, Any]
    ) -> PeerResponse:
        """To a request in the highest version that both speak; what a peer speaks may change."""
        versions = self._spoken
        tried = 0
        while True:
            version = versions.with_peer(peer.spiffe_id)
            said = {**options.get("headers", {}), **versions.headers(version)}
            asked = {**options, "params": params(version), "headers": said}
            response = await self._request(method, peer, path, asked)
            self._caller.check(peer, response)
            self._hear(peer, response)
            learned = versions.with_peer(peer.spiffe_id)
            if response.status != 426 or learned in (version, tried):
                return response
            response.close()
            tried = version

    async def _request(
        self, method: str, peer: Peer, path: str, options: Mapping[str, Any]
    ) -> PeerResponse:
        context = self._caller.context(peer)
        direct = not self._tunnels.leads_to(peer) and not self._on_detour(peer)
        url = address_of(peer if direct else await self._tunnels.beyond(peer))
        headers = {**options["headers"], **self._caller.headers(context)}
        while True:
            trace = SimpleNamespace(reused=False)
            try:
                response = await self._sessions.requests.request(
                    method,
                    url.origin().with_path(path),
                    ssl=context,
                    allow_redirects=False,
                    trace_request_ctx=trace,
                    **{**options, "headers": headers},
                )
                return cast(PeerResponse, response)
            except UnicodeError as error:  # of the resolver: labels too long for any name
                raise misplaced(peer) from error
            except aiohttp.ClientConnectionError:
                # A kept connection may be closed by the peer at the very moment it is used. Every
                # request here may be repeated; each failure takes one kept connection away, so this
                # ends.
                if trace.reused:
                    continue
                if not direct or not self.detours:
                    self._detour_until_s.pop(peer.spiffe_id, None)
                    raise
                direct = False
                self._detour_until_s[peer.spiffe_id] = time.monotonic() + DETOUR_S
                url = address_of(await self._tunnels.beyond(peer))

    def _hear(self, peer: Peer, response: PeerResponse) -> None:
        try:
            self._spoken.heard(peer.spiffe_id, Versions.said(response.headers))
        except ValueError as error:
            response.close()
            raise nonsense(peer, str(error)) from error

    def _on_detour(self, peer: Peer) -> bool:
        return time.monotonic() < self._detour_until_s.get(peer.spiffe_id, 0.0)
