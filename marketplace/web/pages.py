"""Pages of single things. They read the same views as the API; `live` keeps them new."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import parse_qs

from fastapi import APIRouter, Request
from fastapi.responses import RedirectResponse, Response
from sqlalchemy.orm import Session

from marketplace.access import Caller
from marketplace.errors import MarketError, NotAllowed
from marketplace.identity import sign_in
from marketplace.nodes import status
from marketplace.nodes.registry import registrations
from marketplace.runs import earnings, pools, rounds, usage, views
from marketplace.runs.leaders import Leaders
from marketplace.runs.readmodel import run_seen
from marketplace.web import charts
from marketplace.web.callers import COOKIE, CallerOf, MarketOf
from marketplace.web.fields import Hash
from marketplace.web.templates import page

router = APIRouter(include_in_schema=False)
_LATEST_ROUNDS = 12
_MOST_DOTS = 200  # one for each node in each round


def error_page(request: Request, error: MarketError) -> Response | None:
    """What a browser sees instead of a problem document; None for everybody else."""
    if request.url.path.startswith("/api/") or "text/html" not in request.headers.get("accept", ""):
        return None
    if error.status == 401:
        return RedirectResponse(f"/sign-in?next={request.url.path}", 303)
    shown = page(request, "error.html", Caller(None), error=error)
    shown.status_code = error.status
    return shown


@router.get("/runs/{run_id}")
async def run(request: Request, run_id: Hash, caller: CallerOf, market: MarketOf) -> Response:
    shown = await market.database.read(_run, caller, run_id, market.clock())
    return page(request, "run.html", caller, **shown)


def _run(session: Session, caller: Caller, run_id: str, now_s: int) -> dict[str, Any]:
    run = run_seen(session, caller, run_id)
    registered = registrations(session, run.agreement.id)
    nodes = status.list_registered(session, caller, run.agreement, registered, now_s)
    present = [node for node in nodes if not node["retired"]]
    count = max(3, min(_LATEST_ROUNDS, _MOST_DOTS // max(1, len(present))))
    latest = rounds.latest_rounds(session, run, count)
    openings, leaders = (
        rounds.openings_of(session, run, latest),
        Leaders.read(session, run, registered),
    )
    shown = views.show(session, run, leaders, openings)
    samples = earnings.samples_of(nodes)
    return {
        "run": shown,
        "latest": views.shown_rounds(run, registered, leaders, latest, openings)[::-1],
        "earnings": earnings.sums_of(session, run, run.agreement.parties, samples),
        "usage": usage.usage(session, run),
        "pool": pools.show(session, run),
        "nodes": present,
        "chart": charts.loss_chart(rounds.losses(session, [run])[run_id], shown),
        "ring": charts.ring(present, shown["leader"]),
    }


@router.get("/sign-in")
async def sign_in_page(request: Request, next: str = "/") -> Response:
    return page(request, "sign_in.html", Caller(None), next=_local(next))


@router.post("/sign-in")
async def sign_in_by_token(request: Request, market: MarketOf) -> Response:
    """Takes a session token from the command line into a cookie."""
    if request.headers.get("sec-fetch-site", "same-origin") != "same-origin":
        raise NotAllowed("this form comes from another site")
    form = parse_qs((await request.body()).decode("ascii", "replace"))
    token, next = (form.get(name, [""])[0].strip() for name in ("token", "next"))
    await market.database.read(sign_in.who, token, market.clock())
    response = RedirectResponse(_local(next), 303)
    secure = market.settings.public_web_url.startswith("https:")
    response.set_cookie(COOKIE, token, httponly=True, samesite="strict", secure=secure)
    return response


def _local(path: str) -> str:
    """A path of ours, whatever was asked for: nobody is sent elsewhere after signing in.

    Browsers drop tabs and line ends from URLs and take backslashes for slashes.
    """
    return path if re.fullmatch(r"/([!-.0-Z^-~][!-~]*)?", path) else "/"
