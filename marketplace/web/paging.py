"""Lists in pieces: `?limit=…&cursor=…`, and the way to the next piece in the header `Link`.

A cursor names the last item of a piece, not its place: what is added or taken away meanwhile
neither repeats nor hides another item.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Sequence
from typing import Annotated, Any

from fastapi import Depends, Query, Request, Response

from marketplace.errors import InvalidInput

MOST = 500


class Paging:
    """What a request asks of a list. A dependency of routes that give one.

    Args:
        request: whose URL the next piece's is made of.
        response: that gets the header.
        limit: the most items that are wanted.
        cursor: of an earlier answer's `Link`; empty for the first piece.
    """

    def __init__(
        self,
        request: Request,
        response: Response,
        limit: Annotated[int, Query(ge=1, le=MOST)] = 100,
        cursor: Annotated[str, Query(max_length=3_000, pattern="^[A-Za-z0-9_-]*$")] = "",
    ) -> None:
        self._request = request
        self._response = response
        self._limit = limit
        self._cursor = cursor

    def cut(
        self, items: Sequence[dict[str, Any]], key: Callable[[dict[str, Any]], str]
    ) -> list[dict[str, Any]]:
        """The piece that is asked for.

        Args:
            items: the whole list, in its order.
            key: what tells one item from every other.

        Raises:
            InvalidInput: the cursor is none, or its item is gone.
        """
        first = self._first(items, key)
        piece = items[first : first + self._limit]
        if first + len(piece) < len(items):
            url = self._request.url.include_query_params(
                limit=self._limit, cursor=_encode(key(piece[-1]))
            )
            self._response.headers["Link"] = f'<{url.path}?{url.query}>; rel="next"'
        return list(piece)

    def _first(self, items: Sequence[dict[str, Any]], key: Callable[[dict[str, Any]], str]) -> int:
        if not self._cursor:
            return 0
        last = _decode(self._cursor)
        for number, each in enumerate(items):
            if key(each) == last:
                return number + 1
        raise InvalidInput("the cursor's item is not there any more", hint="begin from the start")


PagingOf = Annotated[Paging, Depends()]


def _encode(text: str) -> str:
    return base64.urlsafe_b64encode(text.encode()).rstrip(b"=").decode("ascii")


def _decode(text: str) -> str:
    try:
        return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)).decode()
    except (ValueError, binascii.Error) as error:
        raise InvalidInput("this is no cursor", hint="take it from the header Link") from error
