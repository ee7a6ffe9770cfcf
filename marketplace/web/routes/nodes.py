"""/api/enrollment-tokens, /api/enrollments, /api/nodes: how nodes get in, and how they are."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field

from marketplace.identity.secrets import enrollment_token
from marketplace.nodes import status, tokens
from marketplace.web import models
from marketplace.web.callers import CallerOf, MarketOf
from marketplace.web.fields import Hash, Identifier, Label, Signature
from marketplace.web.paging import PagingOf

router = APIRouter(prefix="/api", tags=["nodes"])


class TokenRequest(BaseModel):
    agreement: Hash
    organization: Label
    node: Label


class Approval(BaseModel):
    signature: Signature


class RejectionOf(BaseModel):
    reason: str = Field(default="", max_length=500)


OfAgreement = Annotated[Hash | None, Query(alias="agreement")]


@router.post("/enrollment-tokens", status_code=201, response_model=models.EnrollmentToken)
async def create_token(body: TokenRequest, caller: CallerOf, market: MarketOf) -> dict[str, Any]:
    """A token that enrolls one node once; shown this once."""
    made = await market.database.write(
        tokens.create,
        caller,
        body.agreement,
        body.organization,
        body.node,
        market.authority.trust_domain,
        market.clock(),
        market.token_lifetime_s,
    )
    url, fingerprint = market.settings.public_agent_url, market.authority.fingerprint
    return {
        "token": enrollment_token(url, fingerprint, made["secret"]),
        "expires_s": made["expires_s"],
        "spiffe_id": made["spiffe_id"],
    }


@router.get("/enrollments", response_model=list[models.Enrollment])
async def list_enrollments(
    caller: CallerOf, market: MarketOf, paging: PagingOf, agreement: OfAgreement = None
) -> list[dict[str, Any]]:
    """Nodes that used their tokens, and what they wait for."""
    found = await market.database.read(market.enrollments.list, caller, agreement, paging.piece)
    return paging.give(found, lambda each: (each["created_s"], each["id"]))


@router.post("/enrollments/{enrollment_id}/approval", response_model=models.Enrollment)
async def approve(
    enrollment_id: Identifier, body: Approval, caller: CallerOf, market: MarketOf
) -> dict[str, Any]:
    """Hands in the signature of the owner's wallet under an enrollment."""
    return await market.enrollments.approve(caller, enrollment_id, body.signature)


@router.post("/enrollments/{enrollment_id}/rejection", response_model=models.Enrollment)
async def reject(
    enrollment_id: Identifier, body: RejectionOf, caller: CallerOf, market: MarketOf
) -> dict[str, Any]:
    """Turns a node away that its owner does not want."""
    return await market.database.write(
        market.enrollments.reject, caller, enrollment_id, body.reason, market.clock()
    )


@router.get("/nodes", response_model=list[models.Node])
async def list_nodes(
    caller: CallerOf, market: MarketOf, paging: PagingOf, agreement: OfAgreement = None
) -> list[dict[str, Any]]:
    """Nodes as the chain has them, with what each said last."""
    found = await market.database.read(status.list_nodes, caller, agreement, market.clock())
    return paging.cut(found, status.place_of)
