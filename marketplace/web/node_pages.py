"""The operator's page, and the tokens that bring nodes in."""

from __future__ import annotations

import re
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import Response

from marketplace.access import Caller
from marketplace.app import Market
from marketplace.errors import InvalidInput, MarketError
from marketplace.homes import operator
from marketplace.identity.secrets import enrollment_token
from marketplace.nodes import tokens
from marketplace.nodes.numbering import unsettled
from marketplace.storage.pieces import ALL
from marketplace.web.callers import CallerOf, MarketOf
from marketplace.web.forms import first, form_of
from marketplace.web.templates import page

router = APIRouter(include_in_schema=False)


@router.get("/my-nodes")
async def my_nodes(request: Request, caller: CallerOf, market: MarketOf) -> Response:
    return await _mine(request, caller, market)


@router.post("/my-nodes/tokens")
async def make_token(request: Request, caller: CallerOf, market: MarketOf) -> Response:
    """A token for one more node, with the command to use it; shown in the answer itself."""
    _ = caller.signed_in
    form = await form_of(request)
    agreement, _, organization = first(form, "seat").partition(" ")
    try:
        made = await token(
            market, caller, agreement, organization, first(form, "node"), first(form, "url")
        )
    except MarketError as error:
        said = {name: first(form, name) for name in ("seat", "node", "url")}
        shown = await _mine(request, caller, market, error=error, said=said)
        shown.status_code = error.status
        return shown
    return await _mine(request, caller, market, made=made)


async def token(
    market: Market, caller: Caller, agreement_id: str, organization: str, node: str, url: str = ""
) -> dict[str, Any]:
    """A token that enrolls one node once, and what to type on its machine.

    Raises:
        NotFound, NotAllowed, Conflict: see `tokens.create`.
        InvalidInput: no name for a node, or no URL.
    """
    if url and not re.fullmatch(r"https://[A-Za-z0-9.\[\]:-]{1,255}", url):
        raise InvalidInput(
            f"{url!r} is not where other nodes could reach one",
            hint="https://host:port, or nothing for a node that takes no connections",
        )
    made = await market.database.write(
        tokens.create,
        caller,
        agreement_id,
        organization,
        label(node.lower()),
        market.authority.trust_domain,
        market.clock(),
        market.token_lifetime_s,
    )
    secret = enrollment_token(
        market.settings.public_agent_url, market.authority.fingerprint, made["secret"]
    )
    reached = f" --url {url}" if url else ' --url ""'
    return {
        "organization": organization,
        "node": node.lower(),
        "command": f"swarm-node enroll --token {secret}{reached}",
        "expires_s": made["expires_s"],
    }


def label(text: str) -> str:
    """A name of an organization or a node. Raises InvalidInput."""
    if not re.fullmatch(r"[a-z0-9-]{1,63}", text):
        raise InvalidInput(
            f"{text!r} cannot be a name", hint="1 to 63 lower-case letters, digits and hyphens"
        )
    return text


async def _mine(request: Request, caller: Caller, market: Market, **more: Any) -> Response:
    now_s = market.clock()
    shown = await market.database.read(operator.show, caller, now_s)
    waiting = await market.database.read(market.enrollments.list, caller, None, ALL, unsettled())
    mine = {caller.signed_in} | caller.operates_for
    return page(
        request,
        "home_operator.html",
        caller,
        now_s=now_s,
        waiting=[each for each in waiting if each["wallet"] in mine],
        **shown,
        **more,
    )
