"""Lines: byte streams over WebSockets, for sites that accept no inbound connection.

Such a site opens lines to every peer that it reaches and leaves them there, idle. A peer that wants
to speak to it takes one, and the two hold an ordinary connection of peers through it: mutual TLS
from end to end, inside. So whoever lends a line sees ciphertext, of files and messages alike, and
has to be trusted with nothing.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import defaultdict, deque
from collections.abc import Awaitable, Callable

from aiohttp import ClientWebSocketResponse, WSMsgType, web

HEARTBEAT_S = 10.0  # a line whose other end says nothing for longer is closed
FRAME_BYTES = 64 << 10
FRAME_LIMIT_BYTES = 1 << 20
TAKEN = "go"  # what a line's holder is told when somebody speaks through it
LINES_PER_PEER = 4  # idle ones that are kept for a site
_NEXT_LINE_S = 1.0  # for a site to lay another line in place of the one that was taken

Write = Callable[[bytes], Awaitable[None]]


class Line:
    """One end of a WebSocket that carries bytes; only ``pump`` reads from it."""

    def __init__(self, socket: web.WebSocketResponse | ClientWebSocketResponse) -> None:
        self._socket = socket
        self._sink: Write | None = None
        self.ended = asyncio.Event()

    async def pump(self) -> None:
        """Pass what comes to whoever has taken the line, until it ends."""
        try:
            while True:
                message = await self._socket.receive()
                if message.type != WSMsgType.BINARY or self._sink is None:
                    return
                await self._sink(message.data)
        except (OSError, RuntimeError):
            return  # what it was passed to is gone
        finally:
            self.ended.set()
            await self.close()

    async def take(self, sink: Write) -> bool:
        """Speak through this line; False when it has ended meanwhile."""
        self._sink = sink
        try:
            await self._socket.send_str(TAKEN)
        except (OSError, RuntimeError):
            return False
        return not self.ended.is_set()

    def answer(self, sink: Write) -> None:
        """The other way round: what comes from now on is passed to ``sink``."""
        self._sink = sink

    async def send(self, data: bytes) -> None:
        """Raises OSError when the line has ended."""
        try:
            await self._socket.send_bytes(data)
        except RuntimeError as error:  # aiohttp's word for a closed one
            raise ConnectionResetError(str(error)) from error

    async def close(self) -> None:
        with contextlib.suppress(OSError, RuntimeError):
            await self._socket.close()


class Exchange:
    """The idle lines that other sites have left with this node, by SPIFFE ID."""

    def __init__(self) -> None:
        self._idle: defaultdict[str, deque[Line]] = defaultdict(deque)
        self._arrived: defaultdict[str, asyncio.Event] = defaultdict(asyncio.Event)

    def holds(self, spiffe_id: str) -> bool:
        """Has that site left a line here?"""
        return bool(self._idle[spiffe_id])

    @property
    def sites(self) -> list[str]:
        """Those that have left lines here."""
        return [spiffe_id for spiffe_id, lines in self._idle.items() if lines]

    async def keep(self, spiffe_id: str, line: Line) -> None:
        """Keep a line until it ends, whether or not it is taken meanwhile."""
        lines = self._idle[spiffe_id]
        lines.append(line)
        self._arrived[spiffe_id].set()
        if len(lines) > LINES_PER_PEER:
            # The oldest may be left from before the site crashed.
            await lines.popleft().close()
        try:
            await line.pump()
        finally:
            with contextlib.suppress(ValueError):
                lines.remove(line)

    async def take(self, spiffe_id: str, sink: Write) -> Line | None:
        """A line to that site, which passes to ``sink`` what comes; None when there is none."""
        deadline = asyncio.get_running_loop().time() + _NEXT_LINE_S
        known = spiffe_id in self._arrived
        while known:
            self._arrived[spiffe_id].clear()
            while lines := self._idle[spiffe_id]:
                line = lines.popleft()
                if await line.take(sink):
                    return line
            try:
                async with asyncio.timeout_at(deadline):
                    await self._arrived[spiffe_id].wait()
            except TimeoutError:
                break
        return None

    async def close(self) -> None:
        """End all idle lines."""
        for lines in self._idle.values():
            while lines:
                await lines.popleft().close()


async def splice(line: Line, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Pass bytes between a line, which passes on to ``writer``, and a socket, until one ends."""

    async def forth() -> None:
        with contextlib.suppress(OSError):
            while data := await reader.read(FRAME_BYTES):
                await line.send(data)

    sending = asyncio.ensure_future(forth())
    ended = asyncio.ensure_future(line.ended.wait())
    try:
        await asyncio.wait({sending, ended}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in (sending, ended):
            task.cancel()
        await line.close()
        writer.close()


def sink_of(writer: asyncio.StreamWriter) -> Write:
    """Writes to a socket, at the pace at which it takes bytes."""

    async def write(data: bytes) -> None:
        writer.write(data)
        await writer.drain()

    return write
