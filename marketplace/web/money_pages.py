"""The page of a statement: what came and went in a period, and how to check it."""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal

from fastapi import APIRouter, Query, Request
from fastapi.responses import Response

from marketplace.money.archive import Issued
from marketplace.money.choices import periods
from marketplace.money.periods import parse_span
from marketplace.web.callers import CallerOf, MarketOf
from marketplace.web.fields import Label
from marketplace.web.routes.money import show_statement
from marketplace.web.templates import page
from metering.statement import Cause, Line, Movement

router = APIRouter(include_in_schema=False)
_SHOWN: Final = 60
_MOST: Final = 2**31
_MOVEMENTS: Final = {
    Cause.CLAIM: ("Claimed", -1),
    Cause.ROYALTY: ("Royalty of a license", 1),
    Cause.ROYALTY_CLAIM: ("Royalties claimed", -1),
    Cause.REFUND: ("Refund to the sponsor, beside this account", 0),
}
Day = Annotated[str, Query(max_length=10)]


@router.get("/statements/{organization}")
async def statement(
    request: Request,
    organization: Label,
    caller: CallerOf,
    market: MarketOf,
    period: Annotated[str, Query(max_length=32)] = "all",
    first: Day = "",
    last: Day = "",
    form: Literal["page", "json", "csv", "pdf"] = "page",
    until: Annotated[int, Query(ge=1, le=_MOST)] = _MOST,
) -> Response:
    """As a page, or as one of the files of `GET /api/statements/{organization}`."""
    if first or last:
        period = f"{first or last}..{last or first}"
    if form != "page":
        return await show_statement(organization, caller, market, period, form)
    issued = await market.statements.issue(caller, organization, parse_span(period))
    return page(
        request,
        "statement.html",
        caller,
        organization=organization,
        period=period,
        periods=periods(market.clock()),
        rpc_url=market.node_rpc_url,
        statement=issued.envelope.statement,
        sha256=issued.envelope.sha256(),
        file=f"statement-{organization}-{period.replace('..', '-to-')}.json",
        **_entries(issued, until),
    )


def _entries(issued: Issued, until: int) -> dict[str, Any]:
    """The account's entries with the balance after each.

    Args:
        issued: the statement.
        until: number of the newest one that is shown, from 1 on in the order of the chain.

    Returns:
        `entries`, newest first; `before`, how many came before them; `after`, how many since.
    """
    told = issued.envelope.statement
    balance_wei, found = told.opening_wei, []
    # Where one block has both, credits come first: what is claimed was there before.
    entries: list[Line | Movement] = [*told.lines, *told.movements]
    for each in sorted(entries, key=_place):
        signed_wei = _signed_wei(each)
        balance_wei += signed_wei
        found.append(
            {
                "run": each.run,
                "run_name": issued.run_names.get(each.run, ""),
                "what": _MOVEMENTS[each.cause][0] if isinstance(each, Movement) else "",
                "line": each if isinstance(each, Line) else None,
                "amount_wei": each.amount_wei,
                "minus": signed_wei < 0,
                "balance_wei": balance_wei,
                "transaction": each.transaction,
                "block": each.block,
            }
        )
    last = min(until, len(found))
    before = max(0, last - _SHOWN)
    return {
        "entries": found[before:last][::-1],
        "before": before,
        "after": len(found) - last,
    }


def _place(each: Line | Movement) -> tuple[int, int]:
    return each.block, isinstance(each, Movement)


def _signed_wei(each: Line | Movement) -> int:
    return each.amount_wei * (_MOVEMENTS[each.cause][1] if isinstance(each, Movement) else 1)
