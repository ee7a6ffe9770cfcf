"""Asks peers, and tells them: HTTP over mutual TLS, a few kept connections per peer."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import secrets
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

log = logging.getLogger(__name__)

CONNECTIONS_PER_PEER = 4
FILES_PER_PEER = 2  # at once: the other connections are for messages, which must not wait for files
CONNECT_TIMEOUT_S = 10.0  # TCP and TLS handshake
STALL_TIMEOUT_S = 30.0  # without a single byte
KEEPALIVE_S = 90.0
READ_BUFFER_BYTES = 1 << 20


class PeerClient:
    """Speaks to peers. What goes wrong with them is a PeerError; its `reason` says what kind."""

    def __init__(
        self, identity: NodeIdentity, directory: Directory, traffic: Traffic | None = None
    ) -> None:
        self._identity = identity
        self._traffic = traffic or Traffic()
        self._bindings = Bindings(identity, directory.agreement, directory.consortium)
        self._contexts: dict[str, PeerContext] = {}
        self._fetching: defaultdict[str, asyncio.Semaphore] = defaultdict(
            lambda: asyncio.Semaphore(FILES_PER_PEER)
        )
        self._session: aiohttp.ClientSession | None = None

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
        self, peer: Peer, root: str, destination: Path, size: int, timeout_s: float
    ) -> None:
        """Fetches the file of `size` bytes whose BLAKE3 is `root` (64 hex digits) to `destination`.

        The file appears there only whole and right: it is hashed on its way to a temporary file
        next to it, which is removed if anything fails. It is not flushed to the disk: after a power
        cut, hash it again.
        """
        async with (
            self._fetching[peer.spiffe_id],
            self._ask("GET", peer, f"/v1/files/{root}", timeout_s) as exchange,
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
        if self._session is not None:
            await self._session.close()
            self._session = None

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
        url = _address(peer)
        headers = {**options.get("headers", {}), **self._bindings.headers(context.svid.leaf)}
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
                if not trace.reused:
                    raise

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

    def _context(self, peer: Peer) -> PeerContext:
        """The TLS settings for a peer.

        aiohttp pools connections by them: a new SVID means new connections.
        """
        svid = self._identity.current()
        context = self._contexts.get(peer.spiffe_id)
        if context is None or context.svid is not svid:
            context = self._contexts[peer.spiffe_id] = client_context(svid, peer.spiffe_id)
        return context

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
