"""A kept model behind HTTP, for programs at the same site.

    POST /predict {"inputs": [[…], …]}   → {"outputs": [[…], …], "model": "0x…"}
    POST /predict with a .npy body (Content-Type: application/x-npy) → the same, as .npy
    POST /predict {"inputs": {"input_ids": [[…], …]}} for models whose inputs have names
    GET  /model                          → the model card;  GET /healthz → {"model": "0x…"}

Errors are problem documents (RFC 9457). One prediction runs at a time: a framework uses all cores.
"""

from __future__ import annotations

import asyncio
import io
import json
import logging
from collections.abc import Awaitable, Callable
from typing import Any

import numpy as np
from aiohttp import web

from node_agent.callbacks.errors import CallbackError
from node_agent.callbacks.inference import Inputs, Predict

log = logging.getLogger(__name__)

BODY_LIMIT_BYTES = 64 << 20
_NPY = "application/x-npy"


class Server:
    """Answers with one model."""

    def __init__(self, predict: Predict, card: dict[str, Any]) -> None:
        self._predict, self._card = predict, card
        self._one_at_a_time = asyncio.Lock()
        self.app = web.Application(client_max_size=BODY_LIMIT_BYTES, middlewares=[_problems])
        self.app.add_routes(
            [
                web.post("/predict", self._answer),
                web.get("/model", self._model),
                web.get("/healthz", self._health),
            ]
        )

    async def _answer(self, request: web.Request) -> web.Response:
        body = await request.read()
        npy = request.content_type == _NPY
        inputs = _from_npy(body) if npy else _from_json(body)
        async with self._one_at_a_time:
            try:
                outputs = await asyncio.to_thread(self._predict, inputs)
            except (CallbackError, ValueError, RuntimeError, TypeError) as error:
                # What a framework says of arrays that do not fit is the caller's business.
                raise _Refused(422, f"the model does not take these inputs: {error}") from error
        if npy:
            out = io.BytesIO()
            np.save(out, outputs, allow_pickle=False)
            return web.Response(body=out.getvalue(), content_type=_NPY)
        return web.json_response({"outputs": outputs.tolist(), "model": self._card["merged_root"]})

    async def _model(self, request: web.Request) -> web.Response:
        return web.json_response(self._card)

    async def _health(self, request: web.Request) -> web.Response:
        return web.json_response({"model": self._card["merged_root"]})


class _Refused(Exception):
    def __init__(self, status: int, detail: str) -> None:
        super().__init__(detail)
        self.status = status


@web.middleware
async def _problems(
    request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
) -> web.StreamResponse:
    try:
        return await handler(request)
    except _Refused as refused:
        return _problem(refused.status, str(refused))
    except web.HTTPException as error:
        return _problem(error.status, error.reason)


def _problem(status: int, detail: str) -> web.Response:
    body = {"type": "about:blank", "status": status, "title": "not predicted", "detail": detail}
    return web.Response(
        text=json.dumps(body), status=status, content_type="application/problem+json"
    )


def _from_json(body: bytes) -> Inputs:
    try:
        inputs = json.loads(body)["inputs"]
        if isinstance(inputs, dict):
            return {str(name): _array(value) for name, value in inputs.items()}
        # Nobody writes 1.0 where 1 will do; a model that takes integers has names for its inputs.
        return {"": _array(inputs).astype(np.float32)}
    except (ValueError, KeyError, TypeError) as error:
        raise _Refused(400, f'the body is not {{"inputs": [[numbers], …]}}: {error}') from error


def _array(value: Any) -> np.ndarray:
    array = np.asarray(value)
    if array.dtype.kind not in "iufb" or array.ndim == 0:
        raise ValueError("rows must be numbers, all of the same length")
    return array.astype(np.float32) if array.dtype == np.float64 else array


def _from_npy(body: bytes) -> Inputs:
    try:
        return {"": np.load(io.BytesIO(body), allow_pickle=False)}
    except (ValueError, EOFError, OSError) as error:
        raise _Refused(400, f"the body is no .npy file: {error}") from error
