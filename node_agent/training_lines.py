"""Lines of JSON on the training socket, and who may write them."""

from __future__ import annotations

import asyncio
import json
import os
import socket
import struct
from collections.abc import Mapping
from typing import Any

from node_agent.errors import TrainingSocketError

LINE_LIMIT_BYTES = 4 << 20  # a schema names every tensor of a model


def check_user(sock: socket.socket) -> None:
    """Only the agent's own user may train through it (the kernel names the peer's)."""
    size = struct.calcsize("3i")
    _, uid, _ = struct.unpack("3i", sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, size))
    if uid != os.getuid():
        raise TrainingSocketError(
            "The training process runs as another user.",
            hint=f"Run it as the agent's user (uid {os.getuid()}).",
        )


async def send(writer: asyncio.StreamWriter, message: Mapping[str, Any]) -> None:
    writer.write(json.dumps(message, separators=(",", ":")).encode() + b"\n")
    await writer.drain()


async def receive(reader: asyncio.StreamReader) -> dict[str, Any]:
    try:
        line = await reader.readuntil(b"\n")
        message = json.loads(line)
    except asyncio.LimitOverrunError as error:
        raise TrainingSocketError(f"A line exceeds {LINE_LIMIT_BYTES} bytes.") from error
    except ValueError as error:
        raise TrainingSocketError(f"Not a line of JSON: {error}") from error
    if not isinstance(message, dict):
        raise TrainingSocketError("Every line is a JSON object.")
    return message
