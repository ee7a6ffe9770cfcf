"""Lists in pieces: which rows come after a place in an order, asked of the database itself.

The place is that of the last row that was seen, by the values that the order goes by. So a piece
costs the same wherever it is in a long list, and rows that are added or taken away meanwhile
neither repeat nor hide others.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeVarTuple

import sqlalchemy as sa
from sqlalchemy.orm import InstrumentedAttribute

from marketplace.errors import InvalidInput

Ts = TypeVarTuple("Ts")
_LARGEST = 2**63 - 1


@dataclass(frozen=True, slots=True)
class Piece:
    """A part of a list.

    Attributes:
        limit: the most rows that are wanted; None for all.
        after: what the last row that was seen has in the columns of the order; empty: the start.
    """

    limit: int | None = None
    after: tuple[Any, ...] = ()


ALL = Piece()


@dataclass(frozen=True, slots=True)
class By:
    """A column that an order goes by."""

    column: InstrumentedAttribute[Any]
    falling: bool = False


def cut(query: sa.Select[*Ts], piece: Piece, *order: By) -> sa.Select[*Ts]:
    """The query, in this order, for no more than the piece.

    Args:
        query: without an order of its own.
        piece: what is wanted.
        order: columns that together tell every row from every other; none of them is ever NULL.

    Raises:
        InvalidInput: the piece's place is none in this order.
    """
    found = query.order_by(
        *(each.column.desc() if each.falling else each.column.asc() for each in order)
    )
    if piece.after:
        _must_fit(piece.after, order)
        found = found.where(_beyond(order, piece.after))
    return found if piece.limit is None else found.limit(piece.limit)


def _beyond(order: tuple[By, ...], place: tuple[Any, ...]) -> sa.ColumnElement[bool]:
    """(a, b) is beyond (x, y) if a is beyond x, or a is x and b is beyond y."""
    found: sa.ColumnElement[bool] = sa.false()
    for each, value in reversed(list(zip(order, place, strict=True))):
        further = each.column < value if each.falling else each.column > value
        found = sa.or_(further, sa.and_(each.column == value, found))
    return found


def _must_fit(place: tuple[Any, ...], order: tuple[By, ...]) -> None:
    kinds = [each.column.type.python_type for each in order]
    if len(place) == len(kinds) and all(map(_fits, place, kinds)):
        return
    raise InvalidInput("this is no cursor of this list", hint="take it from the header Link")


def _fits(value: Any, kind: type) -> bool:
    if kind is int:
        return type(value) is int and -_LARGEST <= value <= _LARGEST
    return isinstance(value, str) and kind is str and "\0" not in value
