"""A bad line to a chain: a real HTTP proxy that loses what it is told to lose."""

from __future__ import annotations

import asyncio
import json
from collections import defaultdict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
from aiohttp import web


class Line:
    """Forwards JSON-RPC to `target`.

    Attributes:
        lose_requests: methods, each as often as it stands here, that never reach the chain.
        lose_answers: the same, for answers that never come back; the chain acts on the request.
        answers: instead of asking the chain, this is answered to the method from now on.
        seen: set for the methods that were asked for.
    """

    def __init__(self, target: str) -> None:
        self.target = target
        self.url = ""
        self.lose_requests: list[str] = []
        self.lose_answers: list[str] = []
        self.answers: dict[str, Any] = {}
        self.seen: defaultdict[str, asyncio.Event] = defaultdict(asyncio.Event)

    async def handle(self, request: web.Request) -> web.StreamResponse:
        body = await request.read()
        method = json.loads(body)["method"]
        self.seen[method].set()
        if method in self.answers:
            return web.Response(body=self.answers[method])
        if method in self.lose_requests:
            self.lose_requests.remove(method)
            raise self._hang_up(request)
        async with (
            aiohttp.ClientSession() as session,
            session.post(
                self.target, data=body, headers={"Content-Type": "application/json"}
            ) as response,
        ):
            answer = await response.read()
        if method in self.lose_answers:
            self.lose_answers.remove(method)
            raise self._hang_up(request)
        return web.Response(body=answer, content_type="application/json")

    @staticmethod
    def _hang_up(request: web.Request) -> Exception:
        assert request.transport is not None
        request.transport.close()
        return asyncio.CancelledError()  # type: ignore[return-value] # what aiohttp ends a handler with


@asynccontextmanager
async def line_to(target: str) -> AsyncIterator[Line]:
    """Open a line for as long as the context lasts."""
    line = Line(target)
    app = web.Application()
    app.router.add_post("/", line.handle)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    line.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    try:
        yield line
    finally:
        await runner.cleanup()
