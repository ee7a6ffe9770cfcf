"""/api/agreements: draft, read, sign."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter
from pydantic import BaseModel

from marketplace.agreements.drafts import Draft
from marketplace.web import models
from marketplace.web.callers import CallerOf, MarketOf
from marketplace.web.fields import Hash, Label, Signature
from marketplace.web.paging import PagingOf

router = APIRouter(prefix="/api/agreements", tags=["agreements"])


class PartySignature(BaseModel):
    organization: Label
    signature: Signature


@router.post("", status_code=201, response_model=models.Agreement)
async def draft(body: Draft, caller: CallerOf, market: MarketOf) -> dict[str, Any]:
    """Drafts an agreement: renders its text, and the message that the parties sign."""
    return await market.database.write(market.agreements.draft, caller, body, market.clock())


@router.get("", response_model=list[models.AgreementLine])
async def list_agreements(
    caller: CallerOf, market: MarketOf, paging: PagingOf
) -> list[dict[str, Any]]:
    """The agreements that the caller takes part in."""
    found = await market.database.read(market.agreements.list, caller, paging.piece)
    return paging.give(found, lambda each: (each["created_s"], each["id"]))


@router.get("/{agreement_id}", response_model=models.Agreement)
async def show(agreement_id: Hash, caller: CallerOf, market: MarketOf) -> dict[str, Any]:
    """An agreement: text, message, who signed."""
    return await market.database.read(market.agreements.show, caller, agreement_id)


@router.post("/{agreement_id}/signatures", response_model=models.Agreement)
async def sign(
    agreement_id: Hash, body: PartySignature, caller: CallerOf, market: MarketOf
) -> dict[str, Any]:
    """Hands in a party's signature; the last one has the agreement activated on chain."""
    return await market.database.write(
        market.agreements.sign,
        caller,
        agreement_id,
        body.organization,
        body.signature,
        market.clock(),
    )


@router.post("/{agreement_id}/activation", response_model=models.Agreement)
async def activate(agreement_id: Hash, caller: CallerOf, market: MarketOf) -> dict[str, Any]:
    """Tries the activation of a fully signed agreement again, after it failed."""
    return await market.database.write(
        market.agreements.activate_again, caller, agreement_id, market.clock()
    )
