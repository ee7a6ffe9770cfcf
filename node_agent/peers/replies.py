"""What the listener answers with."""

from __future__ import annotations

import contextlib
import json
import mmap
from pathlib import Path
from typing import cast

from aiohttp import web

from node_agent.identity.tls import PeerConnection


def connection_of(request: web.Request) -> PeerConnection:
    return cast(PeerConnection, request.get_extra_info("ssl_object"))


def mapped(path: Path) -> memoryview | None:
    """The file's bytes, mapped: only encryption copies them. The last view takes the map along."""
    with contextlib.suppress(FileNotFoundError), path.open("rb") as file:
        size = path.stat().st_size
        return memoryview(mmap.mmap(file.fileno(), size, prot=mmap.PROT_READ) if size else b"")
    return None


def json_reply(value: object) -> web.Response:
    return web.Response(
        body=json.dumps(value, separators=(",", ":")).encode(), content_type="application/json"
    )


def problem(status: int, detail: str, hint: str = "", *, close: bool = False) -> web.Response:
    """An error as RFC 9457 has it."""
    problem = {"status": status, "detail": detail} | ({"hint": hint} if hint else {})
    response = web.Response(
        status=status, body=json.dumps(problem).encode(), content_type="application/problem+json"
    )
    if close:
        response.force_close()
    return response
