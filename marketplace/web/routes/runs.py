"""/api/runs, /api/claims: begin runs, fund them, watch them, be paid."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Path, Query
from pydantic import BaseModel, Field

from contracts.messages import Claim, from_json
from marketplace.runs import earnings, notes, usage, views
from marketplace.runs.compare import compare
from marketplace.runs.requests import read_request
from marketplace.web import models
from marketplace.web.callers import CallerOf, MarketOf
from marketplace.web.fields import Address, Hash, Label, Signature
from marketplace.web.paging import PagingOf, PagingOfLarge

router = APIRouter(prefix="/api", tags=["runs"])


class RunQuestion(BaseModel):
    """A run that is to begin, and in whose name."""

    agreement: Hash
    organization: Label
    name: str = Field(max_length=63)
    continues: Hash | None = None


class NewRun(BaseModel):
    request: dict[str, Any]
    terms: dict[str, Any]
    signature: Signature


class ClaimQuestion(BaseModel):
    run: Hash
    organization: Label
    recipient: str = ""


class NewClaim(BaseModel):
    claim: dict[str, Any]
    signature: Signature


@router.post("/runs/prepare", response_model=models.PreparedRun)
async def prepare_run(body: RunQuestion, caller: CallerOf, market: MarketOf) -> dict[str, Any]:
    """The request that a party has to sign to begin a run, or a finished one anew."""
    return await market.runs.prepare(
        caller, body.agreement, body.organization, body.name, body.continues or ""
    )


@router.post("/runs", status_code=202, response_model=models.Queued)
async def create_run(body: NewRun, caller: CallerOf, market: MarketOf) -> dict[str, Any]:
    """Has a run created on chain, by a request that a party's wallet signed."""
    request, terms = read_request(body.request, body.terms)
    return {"operation": await market.runs.create(caller, request, terms, body.signature)}


@router.get("/runs", response_model=list[models.Run])
async def list_runs(caller: CallerOf, market: MarketOf, paging: PagingOf) -> list[dict[str, Any]]:
    """The runs of the caller's agreements."""
    found = await market.database.read(views.list_runs, caller, paging.piece)
    return paging.give(found, lambda each: (each["block"], each["log_index"]))


@router.get("/runs/comparison", response_model=models.Comparison)
async def compare_runs(
    run: Annotated[list[Hash], Query()], caller: CallerOf, market: MarketOf
) -> dict[str, Any]:
    """Runs side by side: results, and what differs in terms and hyper-parameters."""
    return await market.database.read(compare, caller, run)


@router.put("/runs/{run_id}/note", response_model=models.RunNote)
async def write_note(
    run_id: Hash, body: notes.Note, caller: CallerOf, market: MarketOf
) -> dict[str, Any]:
    """What the run is about: project, description, tags, hyper-parameters."""
    return await market.database.write(notes.write, caller, run_id, body, market.clock())


@router.get("/runs/{run_id}", response_model=models.Run)
async def show_run(run_id: Hash, caller: CallerOf, market: MarketOf) -> dict[str, Any]:
    """How a run is doing."""
    return await market.database.read(views.show_run, caller, run_id)


@router.get("/runs/{run_id}/rounds", response_model=list[models.Round])
async def list_rounds(
    run_id: Hash, caller: CallerOf, market: MarketOf, paging: PagingOfLarge
) -> list[dict[str, Any]]:
    """The sealed rounds of a run, in order."""
    found = await market.database.read(views.list_rounds, caller, run_id, paging.piece)
    return paging.give(found, lambda each: (each["round"],))


@router.get("/runs/{run_id}/funding", response_model=models.Funding)
async def show_funding(
    run_id: Hash,
    caller: CallerOf,
    market: MarketOf,
    payer: Address,
    tokens: Annotated[str, Query(max_length=80, description="12.5: decimals, no exponent")],
) -> dict[str, Any]:
    """The transactions by which a wallet adds to the pool of a run, once it has the tokens."""
    return await market.pools.funding(caller, run_id, payer, tokens)


@router.get("/runs/{run_id}/earnings", response_model=models.Earnings)
async def show_earnings(run_id: Hash, caller: CallerOf, market: MarketOf) -> dict[str, Any]:
    """Who earned what in a run."""
    return await market.database.read(earnings.show_earnings, caller, run_id, market.clock())


@router.get("/runs/{run_id}/credits", response_model=list[models.Credit])
async def list_credits(
    run_id: Hash,
    caller: CallerOf,
    market: MarketOf,
    paging: PagingOf,
    organization: Label | None = None,
) -> list[dict[str, Any]]:
    """What each round of a run credited, to all or to one organization."""
    found = await market.database.read(
        earnings.list_credits, caller, run_id, organization, paging.piece
    )
    return paging.give(found, lambda each: (each["round"], each["party"]))


@router.get("/runs/{run_id}/usage", response_model=models.UsageOfRun)
async def show_usage(run_id: Hash, caller: CallerOf, market: MarketOf) -> dict[str, Any]:
    """What a run cost its nodes, by their own word; nobody is paid by it."""
    return await market.database.read(usage.show_usage, caller, run_id)


@router.get("/runs/{run_id}/usage/{round_number}", response_model=list[models.UsageReport])
async def list_usage(
    run_id: Hash,
    round_number: Annotated[int, Path(ge=0, lt=2**32)],
    caller: CallerOf,
    market: MarketOf,
    paging: PagingOf,
) -> list[dict[str, Any]]:
    """The signed reports of one round."""
    found = await market.database.read(usage.list_reports, caller, run_id, round_number)
    return paging.cut(found, lambda each: each["usage"])


@router.post("/claims/prepare", response_model=models.PreparedClaim)
async def prepare_claim(body: ClaimQuestion, caller: CallerOf, market: MarketOf) -> dict[str, Any]:
    """The claim that an organization has to sign to be paid all that it accrued."""
    return await market.runs.prepare_claim(caller, body.run, body.organization, body.recipient)


@router.post("/claims", status_code=202, response_model=models.Queued)
async def claim(body: NewClaim, caller: CallerOf, market: MarketOf) -> dict[str, Any]:
    """Has a signed claim posted on chain."""
    message = from_json(Claim, body.claim)
    return {"operation": await market.runs.claim(caller, message, body.signature)}
