"""`Idempotency-Key`: the header by which a request may be repeated without repeating its effect."""

from __future__ import annotations

import asyncio
import hashlib
import json
import re
from typing import Final

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from marketplace.app import Market
from marketplace.chain import outbox
from marketplace.errors import Conflict, InvalidInput, MarketError
from marketplace.identity import repeats
from marketplace.identity.repeats import Answer
from marketplace.web import problems
from marketplace.web.callers import SAFE, caller_of

HEADER: Final = "idempotency-key"
_NAME: Final = re.compile(r"[!-~]{1,200}")
# Their answers hold secrets, which are not kept: asked again, they make another one.
_SECRET: Final = re.compile(
    r"/api/(session|tokens|enrollment-tokens|webhooks/?$|drafts/[^/]+/invitations/?$).*", re.DOTALL
)
_WAIT_S: Final = 20.0
_LOOK_AGAIN_S: Final = 0.1


class Repeats:
    """Answers requests that have a key once, and repeats the answer."""

    def __init__(self, app: ASGIApp, market: Market) -> None:
        self._app = app
        self._market = market
        self._under_way: dict[tuple[str, str], asyncio.Future[Answer | None]] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if not _concerns(scope):
            await self._app(scope, receive, send)
            return
        try:
            request = Request(scope, receive)
            scope.setdefault("app", None)
            response = await self._answer(request, scope, receive)
        except MarketError as error:
            response = problems.answer(problems.document(error))
        except HTTPException as error:
            response = problems.answer(problems.plain(error.status_code, str(error.detail)))
        await response(scope, receive, send)

    async def _answer(self, request: Request, scope: Scope, receive: Receive) -> Response:
        name = request.headers[HEADER]
        if not _NAME.fullmatch(name):
            raise InvalidInput(
                "Idempotency-Key is not as expected", hint="1 to 200 visible ASCII characters"
            )
        caller = await caller_of(request, self._market)
        body = await request.body()
        if caller.wallet is None:
            return await self._pass_on(scope, body)
        asked = f"{request.method} {request.url.path}?{request.url.query}\n".encode() + body
        key = repeats.key_of(caller.wallet, name)
        return await self._once(key, hashlib.sha256(asked).hexdigest(), scope, body)

    async def _once(self, key: str, asked: str, scope: Scope, body: bytes) -> Response:
        database, deadline_s = self._market.database, asyncio.get_running_loop().time() + _WAIT_S
        while asyncio.get_running_loop().time() < deadline_s:
            if (key, asked) in self._under_way:
                answer = await self._wait(self._under_way[key, asked])
                if answer is not None:
                    return _response(answer)
                continue
            if (known := await database.read(repeats.find, key, asked)) is not None:
                return _response(known)
            if (key, asked) in self._under_way:
                continue  # since then
            answered = self._under_way[key, asked] = asyncio.Future()
            try:
                begun = await database.write(
                    repeats.begin, key, asked, self._market.clock(), not database.is_shared
                )
                if begun:
                    response, answer = await self._work(key, scope, body)
                    answered.set_result(answer)
                    return response
            finally:
                del self._under_way[key, asked]
                if not answered.done():
                    answered.set_result(None)
            # Another process is about it, and has no way to tell us when it is done.
            await asyncio.sleep(_LOOK_AGAIN_S)
        raise _still_under_way()

    async def _wait(self, answered: asyncio.Future[Answer | None]) -> Answer | None:
        try:
            return await asyncio.wait_for(asyncio.shield(answered), _WAIT_S)
        except TimeoutError as error:
            raise _still_under_way() from error

    async def _work(self, key: str, scope: Scope, body: bytes) -> tuple[Response, Answer | None]:
        """The application's response; and as an answer to be repeated, if it did something."""
        database = self._market.database
        repeats.working_on(key)
        try:
            response = await self._pass_on(scope, body)
        except BaseException:
            await database.write(repeats.forget, key)
            raise
        if response.status_code >= 400:
            # It may have been done before, by a process that was killed before it could say so.
            made = await database.read(outbox.made_by, key)
            if made is None:
                await database.write(repeats.forget, key)
                return response, None
            response = Response(json.dumps({"operation": made}), 202, media_type="application/json")
        content_type = response.headers.get("content-type", "")
        answer = Answer(response.status_code, content_type, bytes(response.body).decode())
        await database.write(repeats.finish, key, answer)
        return response, answer

    async def _pass_on(self, scope: Scope, body: bytes) -> Response:
        """Has the application answer, and takes the answer down."""
        start: Message = {}
        written: list[bytes] = []

        async def receive() -> Message:
            return {"type": "http.request", "body": body, "more_body": False}

        async def send(message: Message) -> None:
            nonlocal start
            if message["type"] == "http.response.start":
                start = message
            elif message["type"] == "http.response.body":
                written.append(message.get("body", b""))

        await self._app(scope, receive, send)
        response = Response(b"".join(written), start["status"])
        response.raw_headers = list(start["headers"])
        return response


def holds_secret(path: str) -> bool:
    """Whether what is answered there is for the caller alone, and kept nowhere."""
    return _SECRET.match(path) is not None


def _concerns(scope: Scope) -> bool:
    if scope["type"] != "http" or scope["method"] in SAFE:
        return False
    path: str = scope["path"]
    if not path.startswith("/api/") or holds_secret(path):
        return False
    return any(name == HEADER.encode() for name, _ in scope["headers"])


def _response(answer: Answer) -> Response:
    headers = {"content-type": answer.content_type} if answer.content_type else {}
    headers["idempotent-replayed"] = "true"
    return Response(answer.body, answer.status, headers)


def _still_under_way() -> MarketError:
    return Conflict(
        "a request with this Idempotency-Key is still under way", hint="ask again in a moment"
    )
