"""The HTTP clients: one for requests on kept connections, one for lines."""

from __future__ import annotations

from types import SimpleNamespace

import aiohttp

from node_agent.peers.answers import PeerResponse

CONNECTIONS_PER_PEER = 4
CONNECT_TIMEOUT_S = 10.0  # TCP and TLS handshake
STALL_TIMEOUT_S = 30.0  # without a single byte
KEEPALIVE_S = 90.0
READ_BUFFER_BYTES = 1 << 20


class Sessions:
    """Opened when they are needed first."""

    def __init__(self) -> None:
        self._requests: aiohttp.ClientSession | None = None
        self._lines: aiohttp.ClientSession | None = None

    @property
    def requests(self) -> aiohttp.ClientSession:
        """A few kept connections per peer; a request's trace context tells whether one was used."""
        if self._requests is None:
            tracing = aiohttp.TraceConfig()
            tracing.on_connection_reuseconn.append(_note_reuse)
            self._requests = aiohttp.ClientSession(
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
        return self._requests

    @property
    def lines(self) -> aiohttp.ClientSession:
        """Each line is a connection of its own, and however long idle."""
        if self._lines is None:
            self._lines = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=0, force_close=True),
                timeout=aiohttp.ClientTimeout(total=None),
                cookie_jar=aiohttp.DummyCookieJar(),
            )
        return self._lines

    async def close(self) -> None:
        """Closes all connections."""
        for session in (self._requests, self._lines):
            if session is not None:
                await session.close()
        self._requests = self._lines = None


async def _note_reuse(session: object, context: SimpleNamespace, details: object) -> None:
    context.trace_request_ctx.reused = True
