"""/api/motions, /api/amendments, /api/acts: what parties decide; /api/admissions: admissions."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query, Response
from pydantic import BaseModel, Field

from marketplace.governance.history import history
from marketplace.governance.wishes import Wish
from marketplace.web import consortium_models as models
from marketplace.web.callers import CallerOf, MarketOf
from marketplace.web.fields import Address, Hash, Identifier, Label, Signature
from marketplace.web.models import Queued
from marketplace.web.paging import PagingOf
from marketplace.web.routes.agreements import PartySignature

router = APIRouter(prefix="/api", tags=["governance"])
OfAgreement = Annotated[Hash | None, Query(alias="agreement")]


class NewMotion(BaseModel):
    """What is to be decided."""

    agreement: Hash
    action: str = Field(max_length=16)
    organization: Label | None = None
    wallet: str = Field(default="", max_length=42)
    run: Hash | None = None
    reason: str = Field(default="", max_length=2_000)


class Question(BaseModel):
    """Which act, and whose."""

    kind: str = Field(max_length=16)
    agreement: Hash
    organization: Label
    node: str = Field(default="", max_length=63)
    wallet: str = Field(default="", max_length=42)


class SignedAct(BaseModel):
    kind: str = Field(max_length=16)
    message: dict[str, Any]
    signature: Signature
    new_signature: Signature = b""


class NewAdmission(BaseModel):
    organization: Label
    wallet: Address


@router.get("/agreements/{agreement_id}/history", response_model=list[models.Change])
async def show_history(
    agreement_id: Hash, caller: CallerOf, market: MarketOf, paging: PagingOf
) -> list[dict[str, Any]]:
    """What changed, where it is on chain, and how to undo it; the latest first."""
    found = await market.database.read(history, caller, agreement_id, market.clock(), paging.piece)
    return paging.give(found, lambda each: (each["block"], each["log_index"]))


@router.get("/agreements/{agreement_id}/amendments", response_model=list[models.AmendmentLine])
async def list_amendments(
    agreement_id: Hash, caller: CallerOf, market: MarketOf, paging: PagingOf
) -> list[dict[str, Any]]:
    """The amendments that were offered for signature, the newest first."""
    found = await market.database.read(market.amendments.list, caller, agreement_id, paging.piece)
    return paging.give(found, lambda each: (each["version"], each["created_s"], each["hash"]))


@router.get("/amendments/{version_hash}", response_model=models.Amendment)
async def show_amendment(version_hash: Hash, caller: CallerOf, market: MarketOf) -> dict[str, Any]:
    """An amendment: text, message, who signed."""
    return await market.database.read(market.amendments.show, caller, version_hash)


@router.post("/amendments/{version_hash}/signatures", response_model=models.AmendmentLine)
async def sign_amendment(
    version_hash: Hash, body: PartySignature, caller: CallerOf, market: MarketOf
) -> dict[str, Any]:
    """Hands in a party's signature; the last one has the amendment posted."""
    return await market.database.write(
        market.amendments.sign,
        caller,
        version_hash,
        body.organization,
        body.signature,
        market.clock(),
    )


@router.post("/motions", status_code=201, response_model=models.Motion)
async def propose_motion(body: NewMotion, caller: CallerOf, market: MarketOf) -> dict[str, Any]:
    """Proposes a motion for the other parties to sign."""
    wish = Wish(body.action, body.organization or "", body.wallet, body.run or "", body.reason)
    return await market.motions.propose(caller, body.agreement, wish)


@router.get("/motions", response_model=list[models.Motion])
async def list_motions(
    caller: CallerOf, market: MarketOf, paging: PagingOf, agreement: OfAgreement = None
) -> list[dict[str, Any]]:
    """The motions of the caller's agreements, newest first."""
    found = await market.motions.list(caller, agreement, paging.piece)
    return paging.give(found, lambda each: (each["created_s"], each["id"]))


@router.get("/motions/{motion_id}", response_model=models.Motion)
async def show_motion(motion_id: Identifier, caller: CallerOf, market: MarketOf) -> dict[str, Any]:
    """A motion: what it does, who voted, how many it needs."""
    return await market.motions.show(caller, motion_id)


@router.post("/motions/{motion_id}/votes", response_model=models.Motion)
async def vote(
    motion_id: Identifier, body: PartySignature, caller: CallerOf, market: MarketOf
) -> dict[str, Any]:
    """Hands in a vote in favor."""
    return await market.motions.sign(caller, motion_id, body.organization, body.signature)


@router.post("/motions/{motion_id}/posting", status_code=202, response_model=models.Motion)
async def post_motion(motion_id: Identifier, caller: CallerOf, market: MarketOf) -> dict[str, Any]:
    """Has a motion with enough votes carried out on chain."""
    return await market.motions.post(caller, motion_id)


@router.post("/motions/{motion_id}/withdrawal", response_model=models.Motion)
async def withdraw_motion(
    motion_id: Identifier, caller: CallerOf, market: MarketOf
) -> dict[str, Any]:
    """Asks for votes no longer."""
    return await market.motions.withdraw(caller, motion_id)


@router.post("/acts/prepare", response_model=models.PreparedAct)
async def prepare_act(body: Question, caller: CallerOf, market: MarketOf) -> dict[str, Any]:
    """The message by which a party leaves, retires a node, moves its wallet or vetoes."""
    return await market.acts.prepare(
        caller,
        body.kind,
        body.agreement,
        body.organization,
        node=body.node,
        wallet=body.wallet,
    )


@router.post("/acts", status_code=202, response_model=Queued)
async def post_act(body: SignedAct, caller: CallerOf, market: MarketOf) -> dict[str, Any]:
    """Has a signed act posted on chain."""
    operation = await market.acts.post(
        caller, body.kind, body.message, body.signature, body.new_signature
    )
    return {"operation": operation}


@router.get("/admissions", response_model=list[models.Admission])
async def list_admissions(
    caller: CallerOf, market: MarketOf, paging: PagingOf
) -> list[dict[str, Any]]:
    """The organizations that admins admitted: to admins and auditors all, to others partners."""
    found = await market.database.read(market.admissions.list, caller, paging.piece)
    return paging.give(found, lambda each: (each["organization"],))


@router.post("/admissions", status_code=201, response_model=models.Admission)
async def admit(body: NewAdmission, caller: CallerOf, market: MarketOf) -> dict[str, Any]:
    """Admits an organization: this marketplace posts for agreements among such."""
    return await market.database.write(
        market.admissions.admit, caller, body.organization, body.wallet, market.clock()
    )


@router.delete("/admissions/{organization}", status_code=204)
async def dismiss(organization: Label, caller: CallerOf, market: MarketOf) -> Response:
    """Vouches for an organization no more."""
    await market.database.write(market.admissions.dismiss, caller, organization)
    return Response(status_code=204)
