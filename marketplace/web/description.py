"""The API's description (OpenAPI), completed by what FastAPI does not know of it."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI, Request
from fastapi.routing import APIRoute

from marketplace.errors import InvalidInput
from marketplace.web.repeats import holds_secret

TEXT = """\
Everything that the pages and `swarm-market` do. Sign in with a wallet, or send a token:
`Authorization: Bearer …`. Errors are problem documents with a `hint`. Lists come in pieces; the
header `Link` has the way to the next one. A change may be repeated under one `Idempotency-Key` and
is made once. Whoever asks too much gets 429 and `Retry-After`.
"""
_OPEN = ("/api/session", "/api/deployment", "/healthz")
_PROBLEM = {
    "description": "a problem document",
    "content": {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}},
}
_KEY = {
    "name": "Idempotency-Key",
    "in": "header",
    "required": False,
    "description": "visible ASCII; the same for a repeated request",
    "schema": {"type": "string", "minLength": 1, "maxLength": 200, "pattern": "^[!-~]+$"},
}


def name_of(route: APIRoute) -> str:
    """What a route is called in generated clients: `agreements_show`."""
    return "_".join([*map(str, route.tags[:1]), route.name])


async def known_parameters(request: Request) -> None:
    """Refuses a query of the API with a parameter that its description does not have.

    A name that is mistyped would else be left out, and a whole list be shown for a part of it.

    Raises:
        InvalidInput: names it.
    """
    path = getattr(request.scope.get("route"), "path", "")
    operations = request.app.openapi()["paths"].get(path, {})
    operation = operations.get(request.method.lower())
    if operation is None:
        return  # a page
    described = operation.get("parameters", [])
    known = [each["name"] for each in described if each["in"] == "query"]
    if strays := sorted(set(request.query_params) - set(known)):
        raise InvalidInput(
            f"no parameter {strays[0]} here",
            hint="there are: " + ", ".join(known) if known else "there are none",
        )


def complete(app: FastAPI) -> None:
    """Has an application describe how callers prove who they are, and how errors look."""
    described = app.openapi

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            app.openapi_schema = _completed(described())
        return app.openapi_schema

    app.openapi = openapi  # type: ignore[method-assign] # FastAPI's documented way


def _completed(schema: dict[str, Any]) -> dict[str, Any]:
    components = schema.setdefault("components", {})
    components["securitySchemes"] = {
        "token": {
            "type": "http",
            "scheme": "bearer",
            "description": "of a session (POST /api/session) or of a program (POST /api/tokens)",
        }
    }
    for name in ("HTTPValidationError", "ValidationError"):
        components.get("schemas", {}).pop(name, None)
    for path, operations in schema["paths"].items():
        for method, operation in operations.items():
            responses = operation["responses"]
            responses.pop("422", None)  # as every other problem: see `default`
            responses["default"] = _PROBLEM
            if not path.startswith(_OPEN):
                operation["security"] = [{"token": []}]
            if method != "get" and not holds_secret(path):  # those answers are kept nowhere
                operation.setdefault("parameters", []).append(_KEY)
    return schema
