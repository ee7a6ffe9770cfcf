"""The side of a site that accepts no inbound connection: it lays lines to all that it reaches."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable, Sequence

import aiohttp

from node_agent.errors import PeerError
from node_agent.peers.client import PeerClient
from node_agent.peers.lines import TAKEN, Line, sink_of, splice
from node_agent.peers.protocol import Peer

log = logging.getLogger(__name__)

IDLE_LINES = 2  # to each peer: one is taken, the other is there for the next
_AGAIN_S = (0.5, 1.0, 2.0, 5.0)  # after a line could not be laid, or ended unused
_LOOK_EVERY_S = 2.0  # at who is enrolled


class Outbound:
    """Keeps idle lines at every reachable peer, and serves through them what is asked.

    ``serve_on`` is the port on loopback where this node's own listener for peers is.
    """

    def __init__(
        self, client: PeerClient, peers: Callable[[], Sequence[Peer]], own: str, serve_on: int
    ) -> None:
        self._client, self._peers, self._own, self._serve_on = client, peers, own, serve_on
        self._laying: dict[str, asyncio.Task[None]] = {}
        self._taken: set[asyncio.Task[None]] = set()
        self._connected: dict[str, int] = {}

    @property
    def connected(self) -> list[str]:
        """The peers at which lines of ours are waiting."""
        return sorted(name for name, lines in self._connected.items() if lines)

    async def run(self) -> None:
        """Until cancelled."""
        told = False
        try:
            while True:
                reachable = {p.spiffe_id: p for p in self._peers() if p.url}
                reachable.pop(self._own, None)
                if not reachable and not told:
                    log.warning(
                        "No other node has an address: nobody can be spoken to until one is "
                        "enrolled with a URL."
                    )
                told = not reachable
                for name in self._laying.keys() - reachable.keys():
                    self._laying.pop(name).cancel()
                for name, peer in reachable.items():
                    if name not in self._laying:
                        self._laying[name] = asyncio.ensure_future(self._keep_lines(peer))
                await asyncio.sleep(_LOOK_EVERY_S)  # the chain's members come without notice here
        finally:
            for task in (*self._laying.values(), *self._taken):
                task.cancel()

    async def _keep_lines(self, peer: Peer) -> None:
        async with asyncio.TaskGroup() as group:
            for _ in range(IDLE_LINES):
                group.create_task(self._keep_line(peer))

    async def _keep_line(self, peer: Peer) -> None:
        failures = 0
        while True:
            try:
                if await self._lay(peer):
                    failures = 0
                    continue
            except PeerError as error:
                if failures == len(_AGAIN_S):
                    log.warning("No line to %s: %s", peer.spiffe_id, error)
            failures += 1
            await asyncio.sleep(_AGAIN_S[min(failures, len(_AGAIN_S)) - 1])  # it is away

    async def _lay(self, peer: Peer) -> bool:
        """Lay one line and wait until it is taken; False when it ended before."""
        socket = await self._client.lay_line(peer)
        self._connected[peer.spiffe_id] = self._connected.get(peer.spiffe_id, 0) + 1
        try:
            message = await socket.receive()
        finally:
            self._connected[peer.spiffe_id] -= 1
        if message.type != aiohttp.WSMsgType.TEXT or message.data != TAKEN:
            await socket.close()
            return False
        task = asyncio.ensure_future(self._serve(Line(socket)))
        self._taken.add(task)
        task.add_done_callback(self._taken.discard)
        return True

    async def _serve(self, line: Line) -> None:
        """Join a line that was taken to our own listener, which judges who speaks."""
        try:
            reader, writer = await asyncio.open_connection("127.0.0.1", self._serve_on)
        except OSError as error:
            log.warning("Our own listener does not answer: %s", error)
            return await line.close()
        line.answer(sink_of(writer))
        pump = asyncio.ensure_future(line.pump())
        try:
            await splice(line, reader, writer)
        finally:
            pump.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await pump
