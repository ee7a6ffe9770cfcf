"""Who makes a request: the bearer of a session token, in a header or in our pages' cookie."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends, Request

from marketplace.access import Caller
from marketplace.app import Market
from marketplace.errors import NotAllowed
from marketplace.identity import sign_in

COOKIE = "swarm_session"
_SAFE = ("GET", "HEAD")


def market_of(request: Request) -> Market:
    market: Market = request.app.state.market
    return market


MarketOf = Annotated[Market, Depends(market_of)]


async def caller_of(request: Request, market: MarketOf) -> Caller:
    """The caller of a request; one without a token is a visitor.

    Raises:
        SignInRequired: a token that is unknown or over.
        NotAllowed: a change asked for with the cookie from a page that is not ours.
    """
    sees_all = market.settings.public_dashboard
    header = request.headers.get("authorization", "")
    token = header[7:] if header[:7].lower() == "bearer " else ""
    if not token:
        token = request.cookies.get(COOKIE, "")
        # Browsers say where a request comes from; scripts of other sites cannot change that.
        if token and request.method not in _SAFE and not _from_our_pages(request):
            raise NotAllowed("this request comes from another site")
    if not token:
        return Caller(None, sees_all=sees_all)
    wallet = await market.database.read(sign_in.who, token, market.clock())
    return Caller(wallet, is_admin=wallet in market.admins, sees_all=sees_all)


CallerOf = Annotated[Caller, Depends(caller_of)]


def _from_our_pages(request: Request) -> bool:
    return request.headers.get("sec-fetch-site") == "same-origin"
