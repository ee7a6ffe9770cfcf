"""Lists in pieces: `?limit=…&cursor=…`, and the way to the next piece in the header `Link`.

On a page for people it is a link that needs no script: `Sheet`, and `further` in parts.html.

A cursor names the last item of a piece, not its place: what is added or taken away meanwhile
neither repeats nor hides another item.
"""

from __future__ import annotations

import base64
import binascii
import json
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import Annotated, Any

from fastapi import Depends, Query, Request, Response

from marketplace.errors import InvalidInput
from marketplace.storage.pieces import Piece

MOST = 500
_ROWS = 50
Cursor = Annotated[str, Query(max_length=3_000, pattern="^[A-Za-z0-9_-]*$")]


class _Leaves(ABC):
    """A list of which no more is given at once than is wanted."""

    def __init__(self, limit: int, cursor: str) -> None:
        self._limit = limit
        self._cursor = cursor

    @property
    def piece(self) -> Piece:
        """What to ask the database for: one row more than is given, to know whether more follow.

        Raises:
            InvalidInput: the cursor is none.
        """
        return Piece(self._limit + 1, _place(self._cursor) if self._cursor else ())

    def give(
        self, items: Sequence[dict[str, Any]], key: Callable[[dict[str, Any]], tuple[Any, ...]]
    ) -> list[dict[str, Any]]:
        """The items of `piece`, without the one too many.

        Args:
            items: what was found.
            key: an item's place: what it has in the columns that the list is ordered by.
        """
        given = list(items[: self._limit])
        if len(items) > self._limit:
            self._go_on(_encode(json.dumps(key(given[-1]), separators=(",", ":"))))
        return given

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
            self._go_on(_encode(key(piece[-1])))
        return list(piece)

    @abstractmethod
    def _go_on(self, cursor: str) -> None:
        """Notes that more follows, and how to ask for it."""

    def _first(self, items: Sequence[dict[str, Any]], key: Callable[[dict[str, Any]], str]) -> int:
        if not self._cursor:
            return 0
        last = _decode(self._cursor)
        for number, each in enumerate(items):
            if key(each) == last:
                return number + 1
        raise InvalidInput("the cursor's item is not there any more", hint="begin from the start")


class Sheet(_Leaves):
    """A piece of a list, on a page for people. A dependency of routes that show one.

    Args:
        cursor: of an earlier piece's `next`; empty for the first.
        rows: the most items that are wanted.

    Attributes:
        next: what to ask for to see what follows; empty if nothing does.
        is_first: whether this is the beginning.
    """

    def __init__(
        self, cursor: Cursor = "", rows: Annotated[int, Query(ge=1, le=MOST)] = _ROWS
    ) -> None:
        super().__init__(rows, cursor)
        self.next: dict[str, str | int] = {}
        self.is_first = not cursor

    def _go_on(self, cursor: str) -> None:
        self.next = {"cursor": cursor} | ({} if self._limit == _ROWS else {"rows": self._limit})


class Paging(_Leaves):
    """What a request of a program asks of a list. A dependency of routes that give one.

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
        cursor: Cursor = "",
    ) -> None:
        super().__init__(limit, cursor)
        self._request = request
        self._response = response

    def _go_on(self, cursor: str) -> None:
        url = self._request.url.include_query_params(limit=self._limit, cursor=cursor)
        self._response.headers["Link"] = f'<{url.path}?{url.query}>; rel="next"'


class LargeItems(Paging):
    """Paging of lists whose items are large: fewer of them, unless more are wanted."""

    def __init__(
        self,
        request: Request,
        response: Response,
        limit: Annotated[int, Query(ge=1, le=MOST)] = 10,
        cursor: Cursor = "",
    ) -> None:
        super().__init__(request, response, limit, cursor)


SheetOf = Annotated[Sheet, Depends()]
PagingOf = Annotated[Paging, Depends()]
PagingOfLarge = Annotated[LargeItems, Depends()]


def _place(cursor: str) -> tuple[Any, ...]:
    try:
        place = json.loads(_decode(cursor))
    except (ValueError, RecursionError) as error:
        raise InvalidInput("this is no cursor", hint="take it from the header Link") from error
    if not isinstance(place, list) or not place:
        raise InvalidInput("this is no cursor", hint="take it from the header Link")
    return tuple(place)


def _encode(text: str) -> str:
    return base64.urlsafe_b64encode(text.encode()).rstrip(b"=").decode("ascii")


def _decode(text: str) -> str:
    try:
        return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)).decode()
    except (ValueError, binascii.Error) as error:
        raise InvalidInput("this is no cursor", hint="take it from the header Link") from error
