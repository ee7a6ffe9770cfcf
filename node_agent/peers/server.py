"""The listener for peers: HTTP over mutual TLS, for enrolled nodes only."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Awaitable, Callable

from aiohttp import web

from node_agent.errors import AgentStateError, IdentityError, MessageRefused
from node_agent.identity.binding import Bindings, NodeIdentity
from node_agent.identity.svid import Leaf
from node_agent.identity.tls import server_context
from node_agent.peers.lines import FRAME_LIMIT_BYTES, HEARTBEAT_S, Exchange, Line
from node_agent.peers.protocol import (
    MESSAGE_LIMIT_BYTES,
    Directory,
    Envelope,
    Inbox,
    Peer,
    Traffic,
)
from node_agent.peers.replies import connection_of, json_reply, mapped, problem
from node_agent.peers.versions import LINES, Spoken, Versions, refusal, used

log = logging.getLogger(__name__)

CHUNK_BYTES = 512 << 10  # below 256 KiB, time goes into Python instead of encryption
HANDSHAKE_TIMEOUT_S = 10.0
REQUEST_TIMEOUT_S = 30.0  # for a message to arrive whole
STALL_TIMEOUT_S = 30.0  # a reader that takes no byte for so long is cut off
KEEPALIVE_S = 120.0  # longer than the client's, so that the client closes first and nothing crosses
BACKLOG = 128
# One member must not use up what all members need. Its client opens four; for a while they are
# joined by those with its previous SVID, or those from before it crashed.
CONNECTIONS_FROM_PEER = 16
LINES_FOR_EACH = 8

_SENDER: web.RequestKey[Peer] = web.RequestKey("sender", Peer)
_VERSION: web.RequestKey[int] = web.RequestKey("version", int)

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class PeerServer:
    """Answers peers. `start` returns the port, of interest when `port` is 0."""

    def __init__(
        self,
        identity: NodeIdentity,
        directory: Directory,
        inbox: Inbox,
        host: str,
        port: int,
        traffic: Traffic | None = None,
        lines: Exchange | None = None,
        spoken: Spoken | None = None,
    ) -> None:
        self._identity = identity
        self._spoken = spoken or Spoken()
        self._traffic = traffic or Traffic()
        self._directory = directory
        self._inbox = inbox
        self._host = host
        self._port = port
        self._bindings = Bindings(identity, directory.agreement, directory.consortium)
        self._lines = lines or Exchange()
        self._runner: web.AppRunner | None = None
        self._server: asyncio.Server | None = None

    async def start(self) -> int:
        """Listens. Raises AgentStateError when the address is not to be had."""
        app = web.Application(client_max_size=MESSAGE_LIMIT_BYTES, middlewares=[self._admit])
        app.add_routes(
            [
                web.post("/v1/messages", self._receive),
                web.get("/v1/messages", self._held),
                web.get("/v1/files/{root:[0-9a-f]{64}}", self._file),
                web.get("/v1/status", self._status),
                web.get("/v1/lines", self._keep_line),
                web.get(r"/v1/lines/{registration:\d{1,5}}", self._lend_line),
            ]
        )
        app.on_response_prepare.append(self._sign)
        runner = web.AppRunner(
            app,
            access_log=None,
            handle_signals=False,
            keepalive_timeout=KEEPALIVE_S,
            shutdown_timeout=1.0,
        )
        await runner.setup()
        assert runner.server is not None  # `setup` makes it
        try:
            self._server = await asyncio.get_running_loop().create_server(
                runner.server,
                self._host,
                self._port,
                ssl=server_context(self._identity.current, self._known),
                ssl_handshake_timeout=HANDSHAKE_TIMEOUT_S,
                backlog=BACKLOG,
                reuse_address=True,
            )
        except OSError as error:
            await runner.cleanup()
            raise AgentStateError(
                f"cannot listen on {self._host}:{self._port}: {error.strerror or error}",
                hint="another agent may be running; see listen_host and listen_port",
            ) from error
        self._runner = runner
        return int(self._server.sockets[0].getsockname()[1])

    async def stop(self) -> None:
        if self._server is not None:
            self._server.close()
            self._server = None
        await self._lines.close()
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    def _known(self, leaf: Leaf) -> None:
        if self._directory.by_spiffe_id(leaf.spiffe_id) is None:
            raise IdentityError(f"{leaf.spiffe_id} is not enrolled")
        limit = CONNECTIONS_FROM_PEER
        peers = self._directory.peers()
        if self._lines.sites or not all(peer.url for peer in peers):
            # Where lines are laid, every pair of members may speak over connections of one of them.
            limit += LINES_FOR_EACH * len(peers)
        if self._connections_of(leaf.spiffe_id) >= limit:
            raise IdentityError(f"{leaf.spiffe_id} has {limit} connections already")

    def _connections_of(self, spiffe_id: str) -> int:
        listener = self._runner and self._runner.server
        transports = [each.transport for each in listener.connections] if listener else []
        peers = [each.get_extra_info("ssl_object").peer for each in transports if each]
        return sum(peer.spiffe_id == spiffe_id for peer in peers)

    @web.middleware
    async def _admit(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Judges every request anew: certificates expire and nodes leave, connections stay."""
        try:
            request[_SENDER] = sender = self._sender(request)
            try:
                theirs, version = Versions.said(request.headers), used(request.headers)
            except ValueError as error:
                raise MessageRefused(str(error)) from error
            self._spoken.heard(sender.spiffe_id, theirs)
            own = self._spoken.own
            if own.common(theirs) is None:
                return problem(426, *refusal(own, sender.spiffe_id, theirs))
            if version not in own:
                return problem(426, f"this node speaks versions {own}, not {version}")
            request[_VERSION] = version
            return await handler(request)
        except IdentityError as error:
            log.warning("peer refused: %s", error)
            return problem(403, str(error), error.hint, close=True)
        except MessageRefused as error:
            return problem(422, error.reason, error.hint)
        except web.HTTPException as error:
            return problem(error.status, error.reason)

    def _sender(self, request: web.Request) -> Peer:
        connection = connection_of(request)
        leaf, now_s = connection.peer, self._identity.clock()
        if now_s >= connection.own.not_after_s:
            raise IdentityError("the certificate of this connection has expired: connect anew")
        if now_s >= leaf.not_after_s:
            raise IdentityError(f"the SVID of {leaf.spiffe_id} has expired")
        sender = self._directory.by_spiffe_id(leaf.spiffe_id)
        if sender is None:
            raise IdentityError(f"{leaf.spiffe_id} is not enrolled")
        self._bindings.check(leaf, sender.key, request.headers)
        return sender

    async def _sign(self, request: web.Request, response: web.StreamResponse) -> None:
        response.headers.update(self._spoken.headers())
        response.headers.update(self._bindings.headers(connection_of(request).own.leaf))

    async def _receive(self, request: web.Request) -> web.Response:
        try:
            async with asyncio.timeout(REQUEST_TIMEOUT_S):
                body = await request.read()
        except TimeoutError:
            return problem(
                408, f"the message did not arrive within {REQUEST_TIMEOUT_S:g} s", close=True
            )
        try:
            value = json.loads(body)
        except (ValueError, RecursionError) as error:
            raise MessageRefused("a message is JSON") from error
        await self._inbox.receive(request[_SENDER], Envelope.from_json(value))
        return web.Response(status=204)

    async def _held(self, request: web.Request) -> web.Response:
        run, prev = request.query.get("run", ""), request.query.get("prev", "")
        held = self._inbox.held(run, prev)
        return json_reply([envelope.to_json() for envelope in held])

    async def _status(self, request: web.Request) -> web.Response:
        own = self._identity.current().spiffe_id
        return json_reply({"protocol": str(self._spoken.own), "node": own, **self._inbox.status()})

    async def _keep_line(self, request: web.Request) -> web.StreamResponse:
        socket = await self._accept_line(request)
        await self._lines.keep(request[_SENDER].spiffe_id, Line(socket))
        return socket

    async def _lend_line(self, request: web.Request) -> web.StreamResponse:
        """Join the caller to a site that has left lines here; what they say is not for us."""
        number = int(request.match_info["registration"])
        target = next((p for p in self._directory.peers() if p.registration == number), None)
        if target is None or not self._lines.holds(target.spiffe_id):
            return problem(404, f"node {number} has left no line here")
        socket = await self._accept_line(request)
        caller = Line(socket)
        line = await self._lines.take(target.spiffe_id, caller.send)
        if line is None:
            await caller.close()
            return socket
        caller.answer(line.send)
        pump, ended = asyncio.ensure_future(caller.pump()), asyncio.ensure_future(line.ended.wait())
        try:
            await asyncio.wait({pump, ended}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            await asyncio.gather(line.close(), caller.close())
            pump.cancel()
            ended.cancel()
        return socket

    async def _accept_line(self, request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse(
            heartbeat=HEARTBEAT_S, max_msg_size=FRAME_LIMIT_BYTES, compress=False
        )
        if not socket.can_prepare(request):
            raise MessageRefused("a line is a WebSocket")
        await socket.prepare(request)
        await socket.send_json(dict(self._bindings.headers(connection_of(request).own.leaf)))
        return socket

    async def _file(self, request: web.Request) -> web.StreamResponse:
        root, reader = request.match_info["root"], request[_SENDER]
        path = self._inbox.readable(root, reader)
        wait = request.query.get("wait", "") if request[_VERSION] >= LINES else ""
        if path is None and wait.isdecimal():
            # Half of a reader's patience at most: he has to hear that it did not come.
            limit_s = min(int(wait[:6]) / 1000, STALL_TIMEOUT_S / 2)
            path = await self._inbox.awaited(root, reader, limit_s)
        content = None if path is None else mapped(path)
        if content is None:
            return problem(404, "no such file, or it may not be read yet")
        response = web.StreamResponse()
        response.content_length = len(content)
        response.content_type = "application/octet-stream"
        try:
            await response.prepare(request)
            for start in range(0, len(content), CHUNK_BYTES):
                async with asyncio.timeout(STALL_TIMEOUT_S):
                    await response.write(content[start : start + CHUNK_BYTES])
                sent = min(CHUNK_BYTES, len(content) - start)
                self._traffic.sent_bytes += sent
                self._traffic.served_bytes += sent
        except TimeoutError:
            log.warning(
                "%s read nothing for %g s: cut off", request[_SENDER].spiffe_id, STALL_TIMEOUT_S
            )
            if request.transport is not None:
                request.transport.abort()
        except ConnectionResetError:
            log.debug("%s hung up before the whole file was there", request[_SENDER].spiffe_id)
        return response
