"""/api/leases, /api/seats: who may run the software, and how many at a time."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field

from marketplace.errors import InvalidInput
from marketplace.leases import views
from marketplace.leases.signing import TRAINING
from marketplace.web.callers import CallerOf, MarketOf
from marketplace.web.fields import Count, Identifier, Label, SpiffeId, Time
from marketplace.web.paging import PagingOf

router = APIRouter(prefix="/api", tags=["leases"])
_DAY_S = 86_400


class Lease(BaseModel):
    """A seat that a node holds."""

    id: str
    organization: str
    spiffe_id: str
    features: list[str]
    issued_s: int
    expires_s: int
    live_until_s: int = Field(description="until then the seat counts as taken")
    exported_by: str | None = Field(description="wallet that took it out as a file")
    ended_s: int | None = Field(description="since when it is not renewed")
    expired: bool


class LeaseFile(Lease):
    """A lease with its text, for a node that does not reach the marketplace."""

    lease: str = Field(description="what goes into the node's file `lease`")
    lease_public_key: str


class LeaseExport(BaseModel):
    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "example": {
                "spiffe_id": "spiffe://swarm.example/org/clinic-a/node/site-1",
                "features": ["training"],
                "days": 30,
            }
        },
    )

    spiffe_id: SpiffeId
    features: list[Label] = Field(default=[TRAINING], min_length=1, max_length=16)
    days: int = Field(default=30, ge=1, le=366)


class SeatsOf(BaseModel):
    """The seats of an organization for a feature."""

    organization: str
    feature: str
    seats: int
    taken: int
    until_s: int | None = Field(description="null: without end")


class SeatsChange(BaseModel):
    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "example": {"organization": "clinic-a", "feature": "training", "seats": 12}
        },
    )

    organization: Label
    feature: Label = TRAINING
    seats: Count
    until_s: Time | None = None


@router.get("/leases")
async def list_leases(caller: CallerOf, market: MarketOf, paging: PagingOf) -> list[Lease]:
    """The leases of the caller's organizations that are live."""
    found = await market.database.read(views.list_leases, caller, market.clock(), paging.piece)
    return [Lease(**each) for each in paging.give(found, lambda each: (each["id"],))]


@router.post("/leases", status_code=201)
async def export_lease(body: LeaseExport, caller: CallerOf, market: MarketOf) -> LeaseFile:
    """Takes a seat for a node that does not reach the marketplace; the answer holds its lease."""
    longest = market.settings.lease_file_days
    if body.days > longest:
        raise InvalidInput(
            f"a lease as a file lasts {longest} days at most here", hint="ask for fewer days"
        )
    made = await market.database.write(
        views.export,
        caller,
        market.lease_signer,
        body.spiffe_id,
        body.features,
        body.days * _DAY_S,
        market.clock(),
        market.lease_policy,
    )
    return LeaseFile(**made)


@router.post("/leases/{lease_id}/end")
async def end_lease(lease_id: Identifier, caller: CallerOf, market: MarketOf) -> Lease:
    """Has a lease renewed no more. Its seat is free when it has lapsed: `live_until_s`."""
    return Lease(**await market.database.write(views.end, caller, lease_id, market.clock()))


@router.get("/seats")
async def list_seats(caller: CallerOf, market: MarketOf, paging: PagingOf) -> list[SeatsOf]:
    """Seats of the caller's organizations, and how many are taken."""
    found = await market.database.read(
        views.list_seats, caller, market.clock(), market.lease_policy
    )
    return [
        SeatsOf(**each)
        for each in paging.cut(found, lambda each: f"{each['organization']}/{each['feature']}")
    ]


@router.put("/seats")
async def set_seats(body: SeatsChange, caller: CallerOf, market: MarketOf) -> SeatsOf:
    """Says how many seats an organization has; for admins."""
    made: dict[str, Any] = await market.database.write(
        views.set_seats,
        caller,
        body.organization,
        body.feature,
        body.seats,
        body.until_s,
        market.clock(),
    )
    return SeatsOf(**made)
