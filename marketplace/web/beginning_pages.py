"""The page on which a run begins."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from fastapi.responses import Response
from sqlalchemy.orm import Session

from contracts.messages import Terms, from_json
from marketplace.access import Caller
from marketplace.agreements.document import rule_rows
from marketplace.agreements.terms import METERING, name_of
from marketplace.app import Market
from marketplace.nodes import status
from marketplace.runs import beginning, pools, views
from marketplace.storage.pieces import ALL
from marketplace.web.callers import CallerOf, MarketOf
from marketplace.web.fields import Hash
from marketplace.web.templates import page

router = APIRouter(include_in_schema=False)


@router.get("/agreements/{agreement_id}/runs/new")
async def new_run(
    request: Request,
    agreement_id: Hash,
    caller: CallerOf,
    market: MarketOf,
    name: Annotated[str, Query(max_length=63, pattern="^[a-z0-9.-]*$")] = "",
) -> Response:
    """`name`: what the form proposes; that of a finished run is begun anew."""
    shown = await market.database.read(_shown, market, caller, agreement_id)
    return page(request, "run_new.html", caller, tab="", proposed=name, **shown)


def _shown(session: Session, market: Market, caller: Caller, agreement_id: str) -> dict[str, Any]:
    agreement = market.agreements.show(session, caller, agreement_id)
    nodes = status.list_nodes(session, caller, agreement_id, market.clock())
    parties = [each for each in agreement["parties"] if not each["out"]]
    mine = [each for each in parties if each["wallet"] == caller.wallet]
    terms = from_json(Terms, agreement["agreement"]["terms"])
    return {
        "agreement": agreement,
        "mine": mine[0] if mine else None,
        "missing": status.without_nodes(parties, nodes),
        "runs": views.list_runs(session, caller, ALL, agreement_id),
        "terms": terms,
        "metering": name_of(METERING, terms.metering),
        "rules": rule_rows(terms),
        "undo": f"{beginning.UNDO} {pools.UNDO}",
    }
