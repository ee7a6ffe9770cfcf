"""Asks peers, and tells them: HTTP over mutual TLS, a few kept connections per peer."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import secrets
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import aiohttp
from yarl import URL

from node_agent.errors import IdentityError, MessageRefused, PeerError
from node_agent.identity.binding import Bindings, NodeIdentity
from node_agent.identity.tls import PeerContext, client_context
from node_agent.peers.answers import (
    PROBLEM_LIMIT_BYTES,
    Exchange,
    PeerResponse,
    nonsense,
    read_json,
    refusal,
    save,
)
from node_agent.peers.lines import FRAME_LIMIT_BYTES, HEARTBEAT_S, Line
from node_agent.peers.lines import Exchange as Lines
from node_agent.peers.protocol import (
    HELD_LIMIT_BYTES,
    MESSAGE_LIMIT_BYTES,
    PROTOCOL,
    Directory,
    Envelope,
    Peer,
    Reason,
    Traffic,
    encode,
    foreign_version,
    version_header,
)
from node_agent.peers.tunnels import Tunnels

log = logging.getLogger(__name__)

CONNECTIONS_PER_PEER = 4
FILES_PER_PEER = 2  # at once: the other connections are for messages, which must not wait for files
CONNECT_TIMEOUT_S = 10.0  # TCP and TLS handshake
STALL_TIMEOUT_S = 30.0  # without a single byte
KEEPALIVE_S = 90.0
DETOUR_S = 60.0  # then the direct way is tried again
READ_BUFFER_BYTES = 1 << 20


class PeerClient:
    """Speaks to peers. What goes wrong with them is a PeerError; its `reason` says what kind."""

    def __init__(
        self,
        identity: NodeIdentity,
        directory: Directory,
        traffic: Traffic | None = None,
        lines: Lines | None = None,
    ) -> None:
        self._identity = identity
        self._traffic = traffic or Traffic()
        self._bindings = Bindings(identity, directory.agreement, directory.consortium)
        self._contexts: dict[str, PeerContext] = {}
        self._fetching: defaultdict[str, asyncio.Semaphore] = defaultdict(
            lambda: asyncio.Semaphore(FILES_PER_PEER)
        )
        self._session: aiohttp.ClientSession | None = None
        self._line_session: aiohttp.ClientSession | None = None
        self.lines = lines or Lines()
        self._tunnels = Tunnels(
            self.lines, directory, lambda: identity.current().spiffe_id, self._borrow_line
        )
        self.detours = False
        """Whether to try a line where a peer does not answer at its URL: he may be as we are."""
        self._detour_until_s: dict[str, float] = {}

    async def lay_line(self, peer: Peer) -> aiohttp.ClientWebSocketResponse:
        """Leave an idle line with a peer; see ``peers.lines``."""
        return await self._open_line(peer, "/v1/lines")

    async def _borrow_line(self, lender: Peer, target: Peer) -> Line:
        return Line(await self._open_line(lender, f"/v1/lines/{target.registration}"))

    async def _open_line(self, peer: Peer, path: str) -> aiohttp.ClientWebSocketResponse:
        """A line whose other end is the peer itself: it says so first, as every answer does."""
        context = self._context(peer)
        url = _address(peer).origin().with_path(path)
        headers = {**version_header(), **self._bindings.headers(context.svid.leaf)}
        try:
            async with asyncio.timeout(CONNECT_TIMEOUT_S):
                socket = await self._open_for_lines().ws_connect(
                    url,
                    ssl=context,
                    headers=headers,
                    heartbeat=HEARTBEAT_S,
                    max_msg_size=FRAME_LIMIT_BYTES,
                )
                binding = await socket.receive_json()
                self._bindings.check(socket.get_extra_info("ssl_object").peer, peer.key, binding)
        except aiohttp.WSServerHandshakeError as error:
            reason = Reason.NOT_FOUND if error.status == 404 else Reason.REFUSED
            text = f"{peer.spiffe_id} has no line: HTTP {error.status}"
            raise PeerError(text, reason=reason) from error
        except IdentityError as error:
            await socket.close()
            raise PeerError(str(error), reason=Reason.IDENTITY, hint=error.hint) from error
        except (aiohttp.ClientError, OSError, TimeoutError, TypeError, ValueError) as error:
            text = f"no line to {peer.spiffe_id} at {peer.url}: {error or 'no answer'}"
            raise PeerError(text, reason=Reason.UNREACHABLE) from error
        return socket

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
        async with self._ask("GET", peer, "/v1/messages", timeout_s, params=query) as exchange:
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
        wait = {"wait": str(int(wait_s * 1000))} if wait_s else {}
        async with (
            self._fetching[peer.spiffe_id],
            self._ask("GET", peer, f"/v1/files/{root}", timeout_s, params=wait) as exchange,
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
        for session in (self._session, self._line_session):
            if session is not None:
                await session.close()
        self._session = self._line_session = None

    @contextlib.asynccontextmanager
    async def _ask(
        self, method: str, peer: Peer, path: str, timeout_s: float, **options: Any
    ) -> AsyncIterator[Exchange]:
        """One request; the answer is that of the peer itself, and not an error."""
        exchange: Exchange | None = None
        try:
            async with asyncio.timeout(timeout_s):
                response = await self._request(method, peer, path, options)
                exchange = Exchange(response)
                async with response:
                    self._verify(peer, response)
                    if response.status >= 400:
                        raise await refusal(peer, response)
                    if response.status not in (200, 204):
                        raise nonsense(peer, f"it answered with HTTP {response.status}")
                    yield exchange
        except aiohttp.ConnectionTimeoutError as error:
            text = f"no TLS connection to {peer.url} within {CONNECT_TIMEOUT_S:g} s"
            raise PeerError(text, reason=Reason.TIMEOUT) from error
        except aiohttp.SocketTimeoutError as error:
            text = f"{peer.spiffe_id} sent nothing for {STALL_TIMEOUT_S:g} s"
            raise PeerError(text, reason=Reason.TIMEOUT) from error
        except TimeoutError as error:
            awaited = "an answer" if exchange is None else exchange.waiting_for
            text = f"waited {timeout_s:g} s for {awaited} from {peer.spiffe_id}"
            raise PeerError(text, reason=Reason.TIMEOUT) from error
        except IdentityError as error:
            raise PeerError(str(error), reason=Reason.IDENTITY, hint=error.hint) from error
        except aiohttp.ClientConnectorCertificateError as error:
            text = f"{peer.url} is not {peer.spiffe_id}: {error.certificate_error}"
            raise PeerError(text, reason=Reason.IDENTITY) from error
        except aiohttp.ClientPayloadError as error:
            raise PeerError(
                f"the connection to {peer.spiffe_id} broke before the whole answer was there",
                reason=Reason.UNREACHABLE,
            ) from error
        except aiohttp.ClientConnectionError as error:
            raise PeerError(
                f"no connection to {peer.spiffe_id} at {peer.url}: {error}",
                reason=Reason.UNREACHABLE,
                hint="if it closes the connection at once it may not accept this node: see its log",
            ) from error
        except aiohttp.ClientError as error:
            raise nonsense(peer, str(error)) from error

    async def _request(
        self, method: str, peer: Peer, path: str, options: Mapping[str, Any]
    ) -> PeerResponse:
        context = self._context(peer)
        direct = not self._tunnels.leads_to(peer) and not self._on_detour(peer)
        url = _address(peer if direct else await self._tunnels.beyond(peer))
        own = self._bindings.headers(context.svid.leaf)
        headers = {**options.get("headers", {}), **version_header(), **own}
        while True:
            trace = SimpleNamespace(reused=False)
            try:
                response = await self._open().request(
                    method,
                    url.origin().with_path(path),
                    ssl=context,
                    allow_redirects=False,
                    trace_request_ctx=trace,
                    **{**options, "headers": headers},
                )
                return cast(PeerResponse, response)
            except UnicodeError as error:  # of the resolver: labels too long for any name
                raise _misplaced(peer) from error
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
                url = _address(await self._tunnels.beyond(peer))

    def _on_detour(self, peer: Peer) -> bool:
        return time.monotonic() < self._detour_until_s.get(peer.spiffe_id, 0.0)

    def _verify(self, peer: Peer, response: PeerResponse) -> None:
        leaf = response.tls.peer
        if self._identity.clock() >= leaf.not_after_s:
            response.close()
            raise IdentityError(f"the SVID of {leaf.spiffe_id} has expired")
        try:
            self._bindings.check(leaf, peer.key, response.headers)
        except IdentityError:
            response.close()
            raise
        if response.status != 426 and (version := foreign_version(response.headers)):
            response.close()
            raise PeerError(
                f"{peer.spiffe_id} speaks version {version} of the peers' protocol, not {PROTOCOL}",
                reason=Reason.VERSION,
                hint="install the same major version of swarm-node at both sites",
            )

    def _context(self, peer: Peer) -> PeerContext:
        """The TLS settings for a peer.

        aiohttp pools connections by them: a new SVID means new connections.
        """
        svid = self._identity.current()
        context = self._contexts.get(peer.spiffe_id)
        if context is None or context.svid is not svid:
            context = self._contexts[peer.spiffe_id] = client_context(svid, peer.spiffe_id)
        return context

    def _open_for_lines(self) -> aiohttp.ClientSession:
        """Each line is a connection of its own, and however long idle."""
        if self._line_session is None:
            self._line_session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=0, force_close=True),
                timeout=aiohttp.ClientTimeout(total=None),
                cookie_jar=aiohttp.DummyCookieJar(),
            )
        return self._line_session

    def _open(self) -> aiohttp.ClientSession:
        if self._session is None:
            tracing = aiohttp.TraceConfig()
            tracing.on_connection_reuseconn.append(_note_reuse)
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(
                    limit=0, limit_per_host=CONNECTIONS_PER_PEER, keepalive_timeout=KEEPALIVE_S
                ),
                timeout=aiohttp.ClientTimeout(
                    total=None, sock_connect=CONNECT_TIMEOUT_S, sock_read=STALL_TIMEOUT_S
                ),
                response_class=PeerResponse,
                cookie_jar=aiohttp.DummyCookieJar(),
                auto_decompress=False,
                headers={"Accept-Encoding": "identity"},
                read_bufsize=READ_BUFFER_BYTES,
                trace_configs=[tracing],
            )
        return self._session


def _address(peer: Peer) -> URL:
    """Where a peer says it listens. The chain takes any visible characters for an address."""
    try:
        url = URL(peer.url)
    except ValueError as error:
        raise _misplaced(peer) from error
    if url.scheme != "https" or not url.host:
        raise _misplaced(peer)
    return url


def _misplaced(peer: Peer) -> PeerError:
    return PeerError(
        f"the URL of {peer.spiffe_id} is not https://host:port but {peer.url}",
        reason=Reason.UNREACHABLE,
    )


async def _note_reuse(session: object, context: SimpleNamespace, details: object) -> None:
    context.trace_request_ctx.reused = True
