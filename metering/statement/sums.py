"""Does a statement add up, by itself?"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import chain, pairwise

from metering import canonical
from metering.errors import MeteringError
from metering.statement.model import FORM, Cause, Line, Movement, Statement, Totals


def totals(lines: Iterable[Line], movements: Iterable[Movement]) -> Totals:
    """Add up what the lines and movements say."""
    moved = dict.fromkeys(Cause, 0)
    for movement in movements:
        moved[movement.cause] += movement.amount_wei
    return Totals(
        credited_wei=sum(line.amount_wei for line in lines),
        royalties_wei=moved[Cause.ROYALTY],
        claimed_wei=moved[Cause.CLAIM] + moved[Cause.ROYALTY_CLAIM],
        refunded_wei=moved[Cause.REFUND],
    )


def closing_wei(opening_wei: int, sums: Totals) -> int:
    """Return the balance after a period that began with `opening_wei`."""
    return opening_wei + sums.credited_wei + sums.royalties_wei - sums.claimed_wei


def parse(data: bytes, *, check_sums: bool = True) -> Statement:
    """Read what `Statement.to_bytes` wrote.

    Args:
        data: the file.
        check_sums: False to read one whose figures do not add up, in order to say where: see
            `differences`.

    Raises:
        MeteringError: it is not canonical, or does not add up.
    """
    statement = canonical.from_bytes(Statement, data, FORM)
    if check_sums:
        for fault in faults(statement):
            raise MeteringError(fault, hint="the file is not as it was issued: ask for it again")
    return statement


def faults(statement: Statement) -> Iterator[str]:
    """Say in words what cannot be right in a statement by itself."""
    sums, period = totals(statement.lines, statement.movements), statement.period
    for name in ("credited_wei", "royalties_wei", "claimed_wei", "refunded_wei"):
        stated, summed = getattr(statement.totals, name), getattr(sums, name)
        if stated != summed:
            yield f"{name} is {stated} in the totals, {summed} by the lines"
    closing = closing_wei(statement.opening_wei, sums)
    if statement.closing_wei != closing:
        yield f"closing_wei is {statement.closing_wei}, {closing} by the lines"
    if min(statement.opening_wei, statement.closing_wei) < 0:
        yield "a balance is below zero"
    blocks = [
        [each.block for each in statement.lines],
        [each.block for each in statement.movements],
    ]
    if any(not period.first_block <= block <= period.last_block for block in chain(*blocks)):
        yield "a line is of a block outside the period"
    for line in statement.lines:
        if not 0 <= line.amount_wei <= line.vested_wei:
            yield f"round {line.round} of run {line.run} credits more than it had, or below zero"
    if any(movement.amount_wei <= 0 for movement in statement.movements):
        yield "a movement is not above zero"
    rounds = [(line.run, line.round) for line in statement.lines]
    if len(set(rounds)) < len(rounds):
        yield "a round has two lines"
    if any(before > after for several in blocks for before, after in pairwise(several)):
        yield "the lines are not in the order of the chain"
