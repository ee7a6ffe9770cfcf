"""A node that is enrolled, with all its keys, and does not keep to the protocol."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from aiohttp import web

from node_agent.identity.binding import Bindings
from node_agent.identity.tls import server_context
from node_agent.peers.protocol import Peer
from tests.peers.swarm import AGREEMENT, CONSORTIUM, Node

Answer = Callable[[web.BaseRequest, web.StreamResponse], Awaitable[None]]


class Liar:
    """An enrolled node, with all its keys, whose listener does not keep to the protocol."""

    def __init__(self, node: Node) -> None:
        self._node = node
        self._runner: web.ServerRunner | None = None

    async def __call__(self, answer: Answer) -> Peer:
        """Listens with that way to answer; the answers carry the true binding."""
        node = self._node
        bindings = Bindings(node.client._caller._identity, AGREEMENT, CONSORTIUM)

        async def handle(request: web.BaseRequest) -> web.StreamResponse:
            response = web.StreamResponse()
            response.headers.update(bindings.headers(node.source.current().leaf))
            await answer(request, response)
            return response

        self._runner = web.ServerRunner(web.Server(handle), shutdown_timeout=0.1)
        await self._runner.setup()
        context = server_context(node.source.current, lambda leaf: None)
        site = web.TCPSite(self._runner, "127.0.0.1", 0, ssl_context=context)
        await site.start()
        port = self._runner.addresses[0][1]
        object.__setattr__(node.peer, "url", f"https://127.0.0.1:{port}")
        return node.peer

    async def stop(self) -> None:
        if self._runner is not None:
            await self._runner.cleanup()
