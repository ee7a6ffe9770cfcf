"""Where two statements differ: the issued one and one's own, or one and the next."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields
from typing import Any

from metering.statement.model import Line, Movement, Statement

# Public records do not always tell these; then there is nothing to hold them against.
_MAY_BE_UNKNOWN = ("metered_bips", "size_bips")


@dataclass(frozen=True, slots=True)
class StatementDifference:
    """A field that is stated otherwise than it was recomputed; None: not there at all."""

    where: str
    field: str
    stated: Any
    recomputed: Any

    def __str__(self) -> str:
        return f"{self.where}: {self.field} is {self.stated}, recomputed {self.recomputed}"


def differences(statement: Statement, recomputed: Statement) -> tuple[StatementDifference, ...]:
    """Compare a statement with one that was drawn up from public records.

    Lines first, in order, then movements, balances and totals, and what it is a statement of: so
    the first difference is the first line that was altered, and the field. Not compared: shares
    that the recomputation does not know, and the reference price, which is on no chain.
    """
    return tuple(_differences(statement, recomputed))


def follows(before: Statement, after: Statement) -> tuple[StatementDifference, ...]:
    """Compare a statement with what the one before says about its beginning."""
    period, where = before.period, "after the statement before"
    compared = [
        ("chain_id", after.chain_id, before.chain_id),
        ("contract", after.contract, before.contract),
        ("organization", after.organization, before.organization),
        ("first_block", after.period.first_block, period.last_block + 1),
        ("begins_s", after.period.begins_s, period.ends_s),
        ("opening_wei", after.opening_wei, before.closing_wei),
    ]
    return tuple(
        StatementDifference(where, name, stated, expected)
        for name, stated, expected in compared
        if stated != expected
    )


def _differences(stated: Statement, own: Statement) -> Iterator[StatementDifference]:
    yield from _lines(stated.lines, own.lines)
    for number in range(max(len(stated.movements), len(own.movements))):
        pair = [each.movements[number : number + 1] for each in (stated, own)]
        yield from _rows(f"movement {number + 1}", *(row[0] if row else None for row in pair))
    for name in ("opening_wei", "closing_wei"):
        yield from _field("the statement", name, getattr(stated, name), getattr(own, name))
    yield from _rows("totals", stated.totals, own.totals)
    for name in ("chain_id", "contract", "organization"):
        yield from _field("the statement", name, getattr(stated, name), getattr(own, name))
    yield from _rows("period", stated.period, own.period)


def _lines(stated: Sequence[Line], own: Sequence[Line]) -> Iterator[StatementDifference]:
    """Match lines by round, so that one that is missing does not make all after it differ."""
    expected = {(line.run, line.round): line for line in own}
    for number, line in enumerate(stated, start=1):
        where = f"line {number} (round {line.round} of run {line.run})"
        yield from _rows(where, line, expected.pop((line.run, line.round), None))
    for (run, round_), line in expected.items():
        yield from _rows(f"round {round_} of run {run}", None, line)


def _rows(where: str, stated: Any, own: Any) -> Iterator[StatementDifference]:
    if stated is None or own is None:
        row = own if stated is None else stated
        kind = {Line: "the line", Movement: "the movement"}.get(type(row), "the row")
        state = ("missing", "there") if stated is None else ("there", "none")
        yield StatementDifference(where, kind, *state)
        return
    for field in fields(stated):
        mine = getattr(own, field.name)
        if mine is not None or field.name not in _MAY_BE_UNKNOWN:
            yield from _field(where, field.name, getattr(stated, field.name), mine)


def _field(where: str, name: str, stated: Any, own: Any) -> Iterator[StatementDifference]:
    if stated != own:
        yield StatementDifference(where, name, stated, own)
