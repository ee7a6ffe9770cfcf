"""Errors as problem documents (RFC 9457): the rim where exceptions become HTTP."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

import sqlalchemy as sa
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from starlette.exceptions import HTTPException

from contracts.errors import (
    ChainError,
    ChainRefused,
    ChainUnreachable,
    ContractReverted,
    MessageError,
    SignatureError,
    TransactionTimeout,
)
from marketplace.errors import (
    ChainRefusal,
    InvalidInput,
    MarketError,
    Unavailable,
    Waiting,
    WrongSignature,
)
from marketplace.web.models import Problem

_LOG = logging.getLogger(__name__)
Page = Callable[[Request, MarketError], Response | None]
_TYPE = "urn:swarm-market:problem:"
# What any route may answer besides.
DESCRIBED: dict[int | str, dict[str, Any]] = {
    "default": {
        "description": "a problem document",
        "model": Problem,
        "content": {"application/problem+json": {}},
    }
}
_KINDS: tuple[tuple[type[ChainError], type[MarketError]], ...] = (
    (SignatureError, WrongSignature),
    (MessageError, InvalidInput),
    (ContractReverted, ChainRefusal),
    (TransactionTimeout, Waiting),
    (ChainUnreachable, Unavailable),
    (ChainRefused, Unavailable),
)


def translated(error: ChainError) -> MarketError:
    """What an error of the contracts package means to our callers."""
    kind = next((ours for theirs, ours in _KINDS if isinstance(error, theirs)), MarketError)
    return kind(str(error), hint=error.hint)


def install(app: FastAPI, page: Page | None = None) -> None:
    """Has an application answer every error with a problem document.

    Args:
        app: the application.
        page: makes a page of an error for those who want one.
    """

    async def market(request: Request, error: Exception) -> Response:
        assert isinstance(error, MarketError | ChainError)
        ours = error if isinstance(error, MarketError) else translated(error)
        shown = page(request, ours) if page else None
        return shown or _problem(ours)

    app.add_exception_handler(MarketError, market)
    app.add_exception_handler(ChainError, market)
    app.add_exception_handler(sa.exc.OperationalError, _database)
    app.add_exception_handler(RequestValidationError, _validation)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(Exception, _unexpected)


def document(error: MarketError) -> dict[str, Any]:
    """The problem document of an error."""
    problem: dict[str, Any] = {
        "type": _TYPE + error.code,
        "title": error.code.replace("-", " "),
        "status": error.status,
        "detail": str(error),
    }
    return problem | {"hint": error.hint} if error.hint else problem


def plain(status: int, title: str) -> dict[str, Any]:
    """The problem document of an HTTP status that says all there is to say."""
    return {"type": "about:blank", "title": title, "status": status}


def answer(problem: dict[str, Any], headers: dict[str, str] | None = None) -> JSONResponse:
    return JSONResponse(
        problem, problem["status"], headers=headers, media_type="application/problem+json"
    )


def _problem(error: MarketError) -> JSONResponse:
    if error.status >= 500:
        _LOG.warning("%s: %s", type(error).__name__, error)
    headers = {"WWW-Authenticate": "Bearer"} if error.status == 401 else None
    return answer(document(error), headers)


async def _validation(_: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)
    places = [
        {"field": ".".join(map(str, each["loc"][1:])), "message": each["msg"]}
        for each in error.errors()
    ]
    shown = "; ".join(f"{each['field']}: {each['message']}" for each in places)
    return answer(document(InvalidInput(f"the request is not as expected: {shown}")))


async def _http(_: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)
    problem = plain(error.status_code, str(error.detail))
    return answer(problem, dict(error.headers or {}))


async def _database(_: Request, error: Exception) -> JSONResponse:
    # A lock that was not had in time, a server that is away: nothing was written.
    _LOG.warning("the database: %s", error)
    busy = Unavailable("the database does not answer", hint="nothing was changed; try again")
    return answer(document(busy), {"Retry-After": "1"})


async def _unexpected(request: Request, error: Exception) -> JSONResponse:
    # Starlette logs the traceback; the caller is told nothing about our insides.
    _LOG.error("%s %s failed: %r", request.method, request.url.path, error)
    return answer(document(MarketError("something went wrong here", hint="the log says more")))
