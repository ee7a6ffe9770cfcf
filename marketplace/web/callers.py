"""Who makes a request: the bearer of a token, in a header or in our pages' cookie."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends, Request
from sqlalchemy.orm import Session

from marketplace.access import Caller
from marketplace.app import Market
from marketplace.errors import NotAllowed, SignInRequired
from marketplace.identity import members, programs, sign_in
from marketplace.trail.actor import acting_as

COOKIE = "swarm_session"
SAFE = ("GET", "HEAD", "OPTIONS")


def market_of(request: Request) -> Market:
    market: Market = request.app.state.market
    return market


MarketOf = Annotated[Market, Depends(market_of)]


async def caller_of(request: Request, market: MarketOf) -> Caller:
    """The caller of a request; one without a token is a visitor.

    Raises:
        SignInRequired: a token that is unknown or over.
        NotAllowed: a change asked for with the cookie from a page that is not ours, or by a token
            outside of its scopes.
    """
    reads = request.method in SAFE
    token = token_of(request)
    if not token:
        return Caller(None, sees_all=market.settings.public_dashboard and reads)
    # Browsers say where a request comes from; scripts of other sites cannot change that.
    if not _bearer(request) and not reads and not _from_our_pages(request):
        raise NotAllowed("this request comes from another site")
    caller = await market.database.read(_caller, token, market, request.url.path, reads)
    acting_as(f"token {caller.program} of {caller.wallet}" if caller.program else caller.signed_in)
    return caller


async def person_of(caller: CallerOf) -> Caller:
    """A caller who signed in himself: for what no program may do.

    Raises:
        SignInRequired: a visitor, or a program.
    """
    if caller.program:
        raise SignInRequired(
            "tokens cannot do this", hint="sign in with the wallet: swarm-market sign-in"
        )
    _ = caller.signed_in
    return caller


CallerOf = Annotated[Caller, Depends(caller_of)]
PersonOf = Annotated[Caller, Depends(person_of)]


def token_of(request: Request) -> str:
    """The token that a request shows; empty if none."""
    return _bearer(request) or request.cookies.get(COOKIE, "")


def _caller(session: Session, token: str, market: Market, path: str, reads: bool) -> Caller:
    now_s, program = market.clock(), None
    if token.startswith(programs.PREFIX):
        program = programs.who(session, token, now_s)
        _must_be_in_scope(program, path, reads)
        wallet = program.wallet
    else:
        wallet = sign_in.who(session, token, now_s)
    operates_for, audits_for = members.roles_of(session, wallet)
    trusted = program is None or programs.ADMIN in program.scopes
    audits = reads and wallet in market.auditors
    return Caller(
        wallet,
        is_admin=trusted and wallet in market.admins,
        sees_all=audits or (reads and market.settings.public_dashboard),
        is_auditor=audits,
        operates_for=operates_for,
        audits_for=audits_for if reads else frozenset(),
        program=program.id if program else "",
    )


def _must_be_in_scope(program: programs.Program, path: str, reads: bool) -> None:
    if programs.ADMIN in program.scopes:
        return
    parts = path.split("/")
    kind = parts[2] if len(parts) > 2 and parts[1] == "api" else ""
    needed = programs.SCOPES.get(kind)
    allowed = {programs.READ, needed} if reads else {needed}
    if not allowed & program.scopes:
        wanted = programs.READ if reads else needed
        raise NotAllowed(
            f"this token has not the scope {wanted}" if wanted else "tokens cannot do this",
            hint="make one that has it: swarm-market token new --scope …"
            if wanted
            else "sign in with the wallet: swarm-market sign-in",
        )


def _bearer(request: Request) -> str:
    header = request.headers.get("authorization", "")
    return header[7:] if header[:7].lower() == "bearer " else ""


def _from_our_pages(request: Request) -> bool:
    return request.headers.get("sec-fetch-site") == "same-origin"
