"""Periods as people write them, and the blocks that they cover."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Final

from contracts.chain import Chain
from marketplace.errors import Conflict, InvalidInput, Unavailable
from metering.statement import Period

_HINT: Final = "2026, 2026-Q3, 2026-07, 2026-07-01..2026-07-15 (both days included, UTC), or all"
_MONTHS_A_QUARTER: Final = 3
_END_OF_TIME_S: Final = 2**40


@dataclass(frozen=True, slots=True)
class Span:
    """From one Unix time until before another."""

    begins_s: int
    ends_s: int


def parse_span(text: str) -> Span:
    """Reads a year, a quarter, a month, a range of days in UTC, or `all`.

    Raises:
        InvalidInput: none of these.
    """
    if text == "all":
        return Span(0, _END_OF_TIME_S)
    try:
        if (found := re.fullmatch(r"(\d{4})", text)) is not None:
            year = int(found[1])
            return _span(date(year, 1, 1), date(year + 1, 1, 1))
        if (found := re.fullmatch(r"(\d{4})-Q([1-4])", text)) is not None:
            month = _MONTHS_A_QUARTER * (int(found[2]) - 1) + 1
            return _span(*_months(int(found[1]), month, _MONTHS_A_QUARTER))
        if (found := re.fullmatch(r"(\d{4})-(\d\d)", text)) is not None:
            return _span(*_months(int(found[1]), int(found[2]), 1))
        if (found := re.fullmatch(r"([\d-]{10})\.\.([\d-]{10})", text)) is not None:
            first, last = (date.fromisoformat(each) for each in found.groups())
            if first <= last:
                return _span(first, last + timedelta(days=1))
    except (ValueError, OverflowError) as error:
        raise InvalidInput(f"{text!r} is not a period: {error}", hint=_HINT) from error
    raise InvalidInput(f"{text!r} is not a period", hint=_HINT)


async def blocks_of(chain: Chain, span: Span, indexed_block: int) -> Period:
    """The blocks that were made in a span of time, as far as they have been read.

    A span that is not over yet ends with the last block that was read.

    Raises:
        Conflict: no block was made in it yet.
        Unavailable: the chain does not have the blocks that were read.
    """
    last = await _time(chain, indexed_block)
    ends_s = min(span.ends_s, last + 1)
    first_block, last_block = 0, indexed_block
    if span.begins_s:
        first_block = await _first(lambda n: _time(chain, n), span.begins_s, indexed_block + 1)
    if ends_s <= last:
        last_block = await _first(lambda n: _time(chain, n), ends_s, indexed_block + 1) - 1
    if last_block < first_block:
        raise Conflict("no block of that period has been read", hint="ask for a later one, or all")
    block = await chain.block(last_block)
    if block is None:
        raise Unavailable("the chain is being reorganized", hint="try again in a moment")
    return Period(
        first_block=first_block,
        last_block=last_block,
        last_block_hash=block.hash,
        begins_s=span.begins_s,
        ends_s=ends_s,
    )


async def _first(time_s: Callable[[int], Awaitable[int]], from_s: int, limit: int) -> int:
    """The first block that is not before a time; `limit` if all blocks below it are."""
    low, high = 0, limit
    while low < high:
        middle = (low + high) // 2
        if await time_s(middle) < from_s:
            low = middle + 1
        else:
            high = middle
    return low


async def _time(chain: Chain, number: int) -> int:
    found = await chain.block(number)
    if found is None:
        raise Unavailable(
            f"the chain has no block {number}", hint="is the endpoint behind, or another chain?"
        )
    return found.timestamp


def _months(year: int, month: int, count: int) -> tuple[date, date]:
    after = month - 1 + count
    return date(year, month, 1), date(year + after // 12, after % 12 + 1, 1)


def _span(first: date, after: date) -> Span:
    return Span(
        *(int(datetime(*d.timetuple()[:3], tzinfo=UTC).timestamp()) for d in (first, after))
    )
