"""The one place where bytes go to and come from a JSON-RPC endpoint.

What a web3 provider is asked for, in a bounded time, with every failure as one of our errors.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from typing import Any, Final
from urllib.parse import urlsplit

import aiohttp
from web3.providers.async_base import AsyncJSONBaseProvider
from web3.types import RPCEndpoint, RPCResponse

from contracts.errors import ChainError, ChainRefused, ChainUnreachable

_LOG: Final = logging.getLogger(__name__)
_HEADERS: Final = {"Content-Type": "application/json"}


def shown(url: str) -> str:
    """The URL without what may be secret in it: user, password, path and query."""
    parts = urlsplit(url)
    host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname
    return f"{parts.scheme}://{host}" + (f":{parts.port}" if parts.port else "")


class Endpoint(AsyncJSONBaseProvider):
    """A provider over one aiohttp session, a third of the cost of web3's own.

    Args:
        url: http or https.
        timeout_s: for one request, from connecting to the last byte.
        revert: makes an error out of the (message, data) of an answer that is a revert, or None.
    """

    def __init__(
        self,
        url: str,
        timeout_s: float,
        revert: Callable[[str, Any], ChainError | None],
    ) -> None:
        super().__init__()
        if urlsplit(url).scheme not in ("http", "https") or not urlsplit(url).hostname:
            raise ChainUnreachable(
                f"{shown(url)} is not the address of an endpoint",
                hint="expected http://host:port or https://host/path",
            )
        self._url = url
        self._revert = revert
        self._timeout_s = timeout_s
        self._session = aiohttp.ClientSession(
            timeout=aiohttp.ClientTimeout(total=timeout_s), headers=_HEADERS
        )

    async def make_request(self, method: RPCEndpoint, params: Any) -> RPCResponse:
        """Returns the answer, which has a result and no error.

        Raises:
            ChainUnreachable: no connection, no answer in time, or one that is not JSON-RPC.
            ChainRefused: the endpoint answered with an error.
            ChainError: what `revert` made of it.
        """
        body = self.encode_rpc_request(method, params)
        try:
            status, text = await self._post(body)
        except TimeoutError as error:
            raise self._unreachable(
                f"no answer to {method} within {self._timeout_s:g} s from"
            ) from error
        except (aiohttp.ClientError, OSError) as error:
            _LOG.debug("%s failed: %r", method, error)
            raise self._unreachable(f"cannot ask {method} of") from error
        try:
            answer = json.loads(text)
        except ValueError as error:
            raise self._unreachable(f"HTTP {status} and no JSON for {method} from") from error
        if not isinstance(answer, dict) or not answer.keys() & {"result", "error"}:
            raise self._unreachable(f"HTTP {status} and no JSON-RPC answer for {method} from")
        if answer.get("error") is not None:
            raise self._refused(method, answer["error"])
        return RPCResponse(**answer)  # type: ignore[typeddict-item] # checked above

    async def disconnect(self) -> None:
        await self._session.close()

    async def _post(self, body: bytes) -> tuple[int, bytes]:
        try:
            return await self._post_once(body)
        except (aiohttp.ServerDisconnectedError, ConnectionResetError):
            # An idle connection that the server had closed. Every request may be repeated: a
            # transaction sent twice is the same transaction.
            return await self._post_once(body)

    async def _post_once(self, body: bytes) -> tuple[int, bytes]:
        async with self._session.post(self._url, data=body) as response:
            return response.status, await response.read()

    def _unreachable(self, what: str) -> ChainUnreachable:
        url = shown(self._url)
        return ChainUnreachable(
            f"{what} the chain at {url}", hint=f"is the chain running, and {url} the right address?"
        )

    def _refused(self, method: str, error: Any) -> ChainError:
        details = error if isinstance(error, dict) else {"message": str(error)}
        message = str(details.get("message", ""))
        reverted = self._revert(message, details.get("data"))
        if reverted is not None:
            return reverted
        hint = ""
        if "insufficient funds" in message.lower():
            hint = "the account that posts has to hold some of the chain's own currency for gas"
        code = details.get("code")
        return ChainRefused(
            f"the chain refused {method}: {message}",
            code=code if isinstance(code, int) else 0,
            hint=hint,
        )
