"""/api/session: sign in with a wallet; /api/deployment, /api/operations, /healthz."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, Field

from marketplace.chain import outbox
from marketplace.chain.indexer import indexed_block
from marketplace.identity import sign_in
from marketplace.identity.secrets import new_id
from marketplace.web import models
from marketplace.web.callers import COOKIE, CallerOf, MarketOf, token_of
from marketplace.web.fields import Address, Identifier, Signature

router = APIRouter(tags=["sessions"])


class ChallengeRequest(BaseModel):
    address: Address


class SessionRequest(BaseModel):
    message: str = Field(max_length=2_000)
    signature: Signature


@router.post("/api/session/challenge", response_model=models.Challenge)
async def challenge(body: ChallengeRequest, market: MarketOf) -> dict[str, Any]:
    """A message (EIP-4361) to be signed by the wallet."""
    now_s = market.clock()
    url, chain_id = market.settings.public_web_url, market.contracts.deployment.chain_id
    text = sign_in.message(url, chain_id, body.address, new_id(), now_s)
    await market.database.write(sign_in.challenge, text, body.address, now_s)
    return {"message": text}


@router.post("/api/session", response_model=models.Session)
async def open_session(
    body: SessionRequest, market: MarketOf, response: Response
) -> dict[str, Any]:
    """A bearer token for a signed message; browsers get it as a cookie too."""
    token, expires_s = await market.database.write(
        sign_in.open_session,
        body.message,
        body.signature,
        market.clock(),
        market.session_lifetime_s,
    )
    response.set_cookie(
        COOKIE,
        token,
        max_age=market.session_lifetime_s,
        httponly=True,
        samesite="strict",
        secure=market.settings.public_web_url.startswith("https:"),
    )
    return {"token": token, "expires": expires_s}


@router.get("/api/session", response_model=models.WhoAmI)
async def show_session(caller: CallerOf) -> dict[str, Any]:
    """Whose session it is."""
    return {"wallet": caller.signed_in, "admin": caller.is_admin, "role": caller.role}


@router.delete("/api/session", status_code=204)
async def close_session(request: Request, market: MarketOf, caller: CallerOf) -> Response:
    """Ends the session."""
    await market.database.write(sign_in.close_session, token_of(request))
    response = Response(status_code=204)
    response.delete_cookie(COOKIE)
    return response


@router.get("/api/deployment", response_model=models.Deployment)
async def deployment(market: MarketOf) -> dict[str, Any]:
    """Where the contracts are."""
    return market.contracts.deployment.to_json() | {"rpc_url": market.node_rpc_url}


@router.get("/api/operations/{operation_id}", response_model=models.Operation)
async def operation(operation_id: Identifier, caller: CallerOf, market: MarketOf) -> dict[str, Any]:
    """How something that was to be posted on chain is doing."""
    return await market.database.read(outbox.show, caller, operation_id)


@router.get("/healthz", response_model=models.Health)
async def health(market: MarketOf) -> dict[str, Any]:
    """Whether the database answers, and how far the chain was read."""
    chain_id = market.contracts.deployment.chain_id
    return {"status": "ok", "block": await market.database.read(indexed_block, chain_id)}
