"""Connections on which nothing comes are not kept."""

from __future__ import annotations

import asyncio

import pytest
import uvicorn

from marketplace.serving import _Server
from marketplace.web.patience import PatientProtocol
from scripts.ports import free_port


class Hasty(PatientProtocol):
    request_timeout_s = 0.3


async def _hello(scope: object, receive: object, send: uvicorn._types.ASGISendCallable) -> None:
    await send({"type": "http.response.start", "status": 204, "headers": [], "trailers": False})
    await send({"type": "http.response.body", "body": b"", "more_body": False})


@pytest.mark.asyncio
@pytest.mark.parametrize(
    "begun", [b"", b"GET / HTTP/1.1\r\nHost: a\r\n", b"GET / HTTP/1.1\r\n\r\nGET / HT"]
)
async def test_who_begins_a_request_and_does_not_end_it_is_cut_off(begun: bytes) -> None:
    port = free_port()
    config = uvicorn.Config(_hello, port=port, http=Hasty, lifespan="off", log_config=None)  # type: ignore[arg-type] # a smaller app than uvicorn has a type for
    server = _Server(config)
    serving = asyncio.create_task(server.serve())
    while not server.started:  # noqa: ASYNC110 - uvicorn has no event for it
        await asyncio.sleep(0.01)
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(begun)
    try:
        async with asyncio.timeout(3):
            await reader.read()
    except ConnectionResetError:
        pass
    finally:
        writer.close()
        server.should_exit = True
        await serving
