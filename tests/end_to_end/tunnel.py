"""Stands for `ssh -N -L` between two network namespaces, by way of a Unix socket.

    python -m tests.end_to_end.tunnel listen SOCKET PORT      in one: 127.0.0.1:PORT leads to SOCKET
    python -m tests.end_to_end.tunnel serve SOCKET PORT       in the other: SOCKET leads to PORT

Further arguments are not looked at.
"""

from __future__ import annotations

import asyncio
import sys

_LOOPBACK = "127.0.0.1"
_CHUNK = 1 << 16


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while data := await reader.read(_CHUNK):
            writer.write(data)
            await writer.drain()
    except ConnectionError:
        pass  # one side is gone, and the other is closed below
    finally:
        writer.close()


async def main(mode: str, path: str, port: int) -> None:
    async def join(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if mode == "listen":
            far = await asyncio.open_unix_connection(path)
        else:
            far = await asyncio.open_connection(_LOOPBACK, port)
        await asyncio.gather(_copy(reader, far[1]), _copy(far[0], writer))

    if mode == "listen":
        server = await asyncio.start_server(join, _LOOPBACK, port)
    else:
        server = await asyncio.start_unix_server(join, path)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2], int(sys.argv[3])))
