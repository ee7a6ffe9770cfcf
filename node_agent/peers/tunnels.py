"""Speaking to a site that accepts no inbound connection: through a line that it has laid.

Either it has left one with this node, or with another peer, who lends it. Towards the client a
tunnel is a port on loopback: what connects there reaches the other site's listener, TLS and all.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable
from dataclasses import replace

from node_agent.errors import PeerError
from node_agent.peers.lines import Exchange, Line, sink_of, splice
from node_agent.peers.protocol import Directory, Peer, Reason

log = logging.getLogger(__name__)

Dial = Callable[[Peer, Peer], Awaitable[Line]]
"""(who lends a line, to whom): a line through him. Raises PeerError."""


class Tunnels:
    """One port for each site that is spoken to this way."""

    def __init__(
        self, exchange: Exchange, directory: Directory, own: Callable[[], str], dial: Dial
    ) -> None:
        self._exchange, self._directory, self._own, self._dial = exchange, directory, own, dial
        self._ports: dict[str, int] = {}
        self._servers: list[asyncio.Server] = []
        self._lender: dict[str, str] = {}
        """By whom a site was reached last."""
        self._passing: set[asyncio.Task[None]] = set()

    def leads_to(self, peer: Peer) -> bool:
        """Is a tunnel the way to this peer?"""
        return not peer.url or self._exchange.holds(peer.spiffe_id)

    async def beyond(self, peer: Peer) -> Peer:
        """The peer, at the end of a tunnel."""
        port = self._ports.get(peer.spiffe_id)
        if port is None:

            def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
                task = asyncio.ensure_future(self._pass(peer.spiffe_id, reader, writer))
                self._passing.add(task)
                task.add_done_callback(self._passing.discard)

            server = await asyncio.start_server(accept, "127.0.0.1", 0)
            self._servers.append(server)
            port = self._ports[peer.spiffe_id] = int(server.sockets[0].getsockname()[1])
        return replace(peer, url=f"https://127.0.0.1:{port}")

    async def _pass(
        self, spiffe_id: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        line = await self._exchange.take(spiffe_id, sink_of(writer))
        pump = None
        if line is None:
            line = await self._borrow(spiffe_id)
            if line is None:
                writer.close()
                return
            line.answer(sink_of(writer))
            pump = asyncio.ensure_future(line.pump())
        try:
            await splice(line, reader, writer)
        finally:
            if pump is not None:
                pump.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await pump

    async def _borrow(self, spiffe_id: str) -> Line | None:
        """Ask reachable peers for a line to that site, first the one who had one before."""
        target = self._directory.by_spiffe_id(spiffe_id)
        if target is None:
            return None
        ends = (self._own(), spiffe_id)
        lenders = [p for p in self._directory.peers() if p.url and p.spiffe_id not in ends]
        lenders.sort(key=lambda peer: peer.spiffe_id != self._lender.get(spiffe_id))
        for lender in lenders:
            try:
                line = await self._dial(lender, target)
            except PeerError as error:
                if error.reason != Reason.NOT_FOUND:
                    log.debug("No line to %s by %s: %s", spiffe_id, lender.spiffe_id, error)
                continue
            self._lender[spiffe_id] = lender.spiffe_id
            return line
        return None

    async def close(self) -> None:
        for server in self._servers:
            server.close()
        for task in self._passing:
            task.cancel()
