"""Where people begin: a page for admins, for owners of data, and for operators of nodes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from fastapi.responses import RedirectResponse, Response

from marketplace.access import Caller
from marketplace.homes import admin, owner
from marketplace.runs import notes, views
from marketplace.runs.compare import compare
from marketplace.web import charts
from marketplace.web.callers import CallerOf, MarketOf
from marketplace.web.fields import Hash
from marketplace.web.paging import SheetOf
from marketplace.web.templates import page

router = APIRouter(include_in_schema=False)


def home_of(caller: Caller) -> str:
    """Where a caller begins."""
    if caller.wallet is None:
        return "/runs"
    return "/admin" if caller.is_admin else "/earnings"


@router.get("/")
async def home(caller: CallerOf) -> Response:
    if not caller.sees_all:
        _ = caller.signed_in
    return RedirectResponse(home_of(caller), 303)


@router.get("/runs")
async def runs(
    request: Request,
    caller: CallerOf,
    market: MarketOf,
    sheet: SheetOf,
    project: str = "",
    tag: str = "",
) -> Response:
    labels = await market.database.read(notes.labels, caller)
    chosen = [
        each.run_id
        for each in labels
        if project in ("", each.project) and (not tag or tag in each.tags)
    ]
    found = await market.database.read(
        views.list_runs, caller, sheet.piece, among=chosen if project or tag else None
    )
    return page(
        request,
        "runs.html",
        caller,
        runs=sheet.give(found, lambda each: (each["block"], each["log_index"])),
        sheet=sheet,
        projects=sorted({each.project for each in labels} - {""}),
        project=project,
        tag=tag,
    )


@router.get("/comparison")
async def comparison(
    request: Request,
    caller: CallerOf,
    market: MarketOf,
    run: Annotated[list[Hash] | None, Query()] = None,
) -> Response:
    shown = await market.database.read(compare, caller, run or [])
    curves = [
        (each["name"], list(zip(each["loss_rounds"], each["losses_e9"], strict=True)))
        for each in shown["runs"]
    ]
    chart = charts.overlay(curves)
    return page(request, "comparison.html", caller, chart=chart, **shown)


@router.get("/admin")
async def admin_home(request: Request, caller: CallerOf, market: MarketOf) -> Response:
    return await _home(request, caller, market, "home_admin.html", admin.show)


@router.get("/earnings")
async def owner_home(request: Request, caller: CallerOf, market: MarketOf) -> Response:
    return await _home(request, caller, market, "home_owner.html", owner.show)


async def _home(
    request: Request,
    caller: Caller,
    market: MarketOf,
    template: str,
    show: Callable[..., dict[str, Any]],
) -> Response:
    shown = await market.database.read(show, caller, market.clock())
    return page(
        request, template, caller, now_s=market.clock(), rpc_url=market.node_rpc_url, **shown
    )
