"""Pages of agreements: sign, watch them come into force, bring nodes in, decide, look back."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import Response
from sqlalchemy.orm import Session

from contracts.errors import MessageError
from contracts.messages import checksum_address
from marketplace.access import Caller
from marketplace.agreements.standing import coming_wallets
from marketplace.app import Market
from marketplace.errors import InvalidInput, MarketError
from marketplace.governance.actions import effect_of
from marketplace.governance.history import history
from marketplace.governance.wishes import Wish
from marketplace.nodes import status
from marketplace.nodes.numbering import unsettled
from marketplace.runs.readmodel import names_of_runs
from marketplace.storage.pieces import ALL, Piece
from marketplace.web.callers import CallerOf, MarketOf
from marketplace.web.fields import Hash, Identifier, Label
from marketplace.web.forms import first, form_of, go
from marketplace.web.node_pages import label, token
from marketplace.web.paging import Sheet, SheetOf
from marketplace.web.templates import page

router = APIRouter(include_in_schema=False)


@router.get("/agreements")
async def agreements(request: Request, caller: CallerOf, market: MarketOf) -> Response:
    shown = await market.database.read(market.agreements.list, caller)
    drafts = await market.database.read(market.negotiations.list, caller) if caller.wallet else []
    negotiated = [each for each in drafts if each["state"] == "open"]
    return page(request, "agreements.html", caller, agreements=shown, drafts=negotiated)


@router.get("/agreements/{agreement_id}")
async def agreement(
    request: Request, agreement_id: Hash, caller: CallerOf, market: MarketOf
) -> Response:
    shown = _seen_by(
        caller, await market.database.read(market.agreements.show, caller, agreement_id)
    )
    told = await market.database.read(history, caller, agreement_id, market.clock(), Piece(1))
    nodes = await market.database.read(status.list_nodes, caller, agreement_id, market.clock())
    return page(
        request, "agreement.html", caller, tab="overview", latest=told, nodes=nodes, **shown
    )


@router.get("/agreements/{agreement_id}/nodes")
async def agreement_nodes(
    request: Request, agreement_id: Hash, caller: CallerOf, market: MarketOf, sheet: SheetOf
) -> Response:
    return await _nodes(request, caller, market, agreement_id, sheet)


@router.post("/agreements/{agreement_id}/tokens")
async def make_token(
    request: Request, agreement_id: Hash, caller: CallerOf, market: MarketOf
) -> Response:
    """A token for one node, shown in the answer itself: it is kept nowhere."""
    form = await form_of(request)
    organization, node, url = (first(form, name) for name in ("organization", "node", "url"))
    error: MarketError | None = None
    made: dict[str, Any] | None = None
    try:
        made = await token(market, caller, agreement_id, organization, node, url)
    except MarketError as problem:
        error = problem
    shown = await _nodes(request, caller, market, agreement_id, Sheet(), made=made, error=error)
    shown.status_code = error.status if error else 200
    return shown


@router.get("/agreements/{agreement_id}/decisions")
async def decisions(
    request: Request, agreement_id: Hash, caller: CallerOf, market: MarketOf
) -> Response:
    return await _decisions(request, caller, market, agreement_id)


@router.post("/agreements/{agreement_id}/motions")
async def propose(
    request: Request, agreement_id: Hash, caller: CallerOf, market: MarketOf
) -> Response:
    form = await form_of(request)
    names = ("action", "organization", "wallet", "run", "reason")
    wish = Wish(**{name: first(form, name) for name in names})
    try:
        await market.motions.propose(caller, agreement_id, wish)
    except MarketError as error:
        shown = await _decisions(request, caller, market, agreement_id, wish, error)
        shown.status_code = error.status
        return shown
    return go(f"/agreements/{agreement_id}/decisions")


@router.post("/motions/{motion_id}/post")
async def post_motion(motion_id: Identifier, caller: CallerOf, market: MarketOf) -> Response:
    shown = await market.motions.post(caller, motion_id)
    return go(f"/agreements/{shown['agreement']}/decisions")


@router.post("/motions/{motion_id}/withdraw")
async def withdraw_motion(motion_id: Identifier, caller: CallerOf, market: MarketOf) -> Response:
    shown = await market.motions.withdraw(caller, motion_id)
    return go(f"/agreements/{shown['agreement']}/decisions")


@router.get("/agreements/{agreement_id}/history")
async def look_back(
    request: Request, agreement_id: Hash, caller: CallerOf, market: MarketOf, sheet: SheetOf
) -> Response:
    shown = await _line(market, caller, agreement_id)
    found = await market.database.read(history, caller, agreement_id, market.clock(), sheet.piece)
    told = sheet.give(found, lambda each: (each["block"], each["log_index"]))
    return page(
        request,
        "agreement_history.html",
        caller,
        tab="history",
        history=told,
        sheet=sheet,
        **shown,
    )


@router.get("/amendments/{version_hash}")
async def amendment(
    request: Request, version_hash: Hash, caller: CallerOf, market: MarketOf
) -> Response:
    shown = await market.database.read(market.amendments.show, caller, version_hash)
    return page(request, "amendment.html", caller, amendment=shown)


@router.get("/nodes")
async def nodes(request: Request, caller: CallerOf, market: MarketOf, sheet: SheetOf) -> Response:
    found = await market.database.read(status.list_nodes, caller, None, market.clock())
    waiting = await market.database.read(market.enrollments.list, caller, None, ALL, unsettled())
    shown = sheet.cut(found, status.place_of)
    return page(request, "nodes.html", caller, nodes=shown, sheet=sheet, waiting=waiting)


@router.post("/enrollments/{enrollment_id}/reject")
async def reject(
    request: Request, enrollment_id: Identifier, caller: CallerOf, market: MarketOf
) -> Response:
    reason = first(await form_of(request), "reason")
    shown = await market.database.write(
        market.enrollments.reject, caller, enrollment_id, reason, market.clock()
    )
    return go(f"/agreements/{shown['agreement']}/nodes")


@router.get("/admissions")
async def admissions(request: Request, caller: CallerOf, market: MarketOf) -> Response:
    found = await market.database.read(market.admissions.list, caller)
    return page(
        request, "admissions.html", caller, admissions=found, policy=market.settings.admission
    )


@router.post("/admissions")
async def admit(request: Request, caller: CallerOf, market: MarketOf) -> Response:
    form = await form_of(request)
    organization, wallet = first(form, "organization").lower(), first(form, "wallet")
    error: MarketError | None = None
    try:
        await market.database.write(
            market.admissions.admit,
            caller,
            label(organization),
            _address(wallet),
            market.clock(),
        )
    except MarketError as problem:
        error = problem
    if error is None:
        return go("/admissions")
    found = await market.database.read(market.admissions.list, caller)
    shown = page(
        request,
        "admissions.html",
        caller,
        admissions=found,
        policy=market.settings.admission,
        error=error,
        said={"organization": organization, "wallet": wallet},
    )
    shown.status_code = error.status
    return shown


@router.post("/admissions/{organization}/revoke")
async def dismiss(organization: Label, caller: CallerOf, market: MarketOf) -> Response:
    await market.database.write(market.admissions.dismiss, caller, organization)
    return go("/admissions")


async def _line(market: Market, caller: Caller, agreement_id: str) -> dict[str, Any]:
    return _seen_by(
        caller, await market.database.read(market.agreements.line, caller, agreement_id)
    )


def _seen_by(caller: Caller, agreement: dict[str, Any]) -> dict[str, Any]:
    mine = [each for each in agreement["parties"] if each["wallet"] == caller.wallet]
    return {"agreement": agreement, "mine": mine[0] if mine else None}


async def _nodes(
    request: Request,
    caller: Caller,
    market: Market,
    agreement_id: str,
    sheet: Sheet,
    *,
    made: dict[str, Any] | None = None,
    error: MarketError | None = None,
) -> Response:
    shown = await _line(market, caller, agreement_id)
    found = await market.database.read(status.list_nodes, caller, agreement_id, market.clock())
    waiting = await market.database.read(
        market.enrollments.list, caller, agreement_id, ALL, unsettled()
    )
    parties = shown["agreement"]["parties"]
    speaks_for = parties if caller.is_admin else [shown["mine"]] if shown["mine"] else []
    return page(
        request,
        "agreement_nodes.html",
        caller,
        tab="nodes",
        nodes=found,
        listed=sheet.cut(found, status.place_of),
        sheet=sheet,
        waiting=waiting,
        missing=status.without_nodes(parties, found),
        speaks_for=[each for each in speaks_for if not each["out"]],
        made=made,
        error=error,
        **shown,
    )


async def _decisions(
    request: Request,
    caller: Caller,
    market: Market,
    agreement_id: str,
    wish: Wish | None = None,
    error: MarketError | None = None,
) -> Response:
    known = await market.database.read(_known, market, caller, agreement_id)
    return page(
        request,
        "agreement_decisions.html",
        caller,
        tab="decisions",
        motions=await market.motions.list(caller, agreement_id),
        effects={name: effect_of(name, "the party", "the new wallet") for name in _ASKED},
        wish=wish,
        error=error,
        **known,
    )


def _known(session: Session, market: Market, caller: Caller, agreement_id: str) -> dict[str, Any]:
    """What there is to decide about, and is being decided, but for motions."""
    agreement = market.agreements.line(session, caller, agreement_id)
    coming = coming_wallets(session, agreement_id, market.clock())
    drafts = market.negotiations.list(session, caller, agreement_id) if caller.wallet else []
    return {
        **_seen_by(caller, agreement),
        "replaced": [
            {**party, "new_wallet": wallet, "since_s": since_s}
            for party in agreement["parties"]
            if party["party"] in coming
            for wallet, since_s in [coming[party["party"]]]
        ],
        "amendments": market.amendments.list(session, caller, agreement_id),
        "drafts": [each for each in drafts if each["state"] == "open"],
        "runs": names_of_runs(session, agreement_id),
    }


_ASKED = ("suspend", "resume", "terminate", "remove", "replace-wallet", "pardon", "leave")


def _address(text: str) -> str:
    try:
        return checksum_address(text)
    except MessageError as error:
        raise InvalidInput(str(error), hint="0x and 40 hexadecimal digits") from error
