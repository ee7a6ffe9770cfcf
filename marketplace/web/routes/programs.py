"""/api/tokens, /api/members, /api/trail: who acts for whom, and who did what."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, Query, Response
from pydantic import BaseModel, ConfigDict, Field

from marketplace.errors import NotAllowed
from marketplace.identity import members, programs
from marketplace.trail import log
from marketplace.web.callers import CallerOf, MarketOf, PersonOf
from marketplace.web.fields import Address, Identifier, Line
from marketplace.web.paging import PagingOf

router = APIRouter(prefix="/api", tags=["access"])
Scope = Literal[
    "read",
    "agreements",
    "governance",
    "nodes",
    "leases",
    "runs",
    "claims",
    "webhooks",
    "admin",
]


class Token(BaseModel):
    """A token of a program; its text is not kept here."""

    id: str
    name: str
    scopes: list[str]
    created_s: int
    expires_s: int
    revoked_s: int | None


class NewToken(Token):
    """A token that was just made."""

    token: str = Field(description="shown this once; goes into `Authorization: Bearer …`")


class TokenQuestion(BaseModel):
    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"example": {"name": "nightly report", "scopes": ["read"], "days": 90}},
    )

    name: Line
    scopes: list[Scope] = Field(min_length=1, max_length=9)
    days: int = Field(default=90, ge=1, le=366)


class Role(BaseModel):
    """Who acts, or looks, for a wallet."""

    owner: str
    wallet: str
    role: str
    since_s: int


class RoleQuestion(BaseModel):
    model_config = ConfigDict(extra="forbid", json_schema_extra={"example": {"role": "operator"}})

    role: Literal["operator", "auditor"]


class TrailChange(BaseModel):
    verb: str
    table: str
    key: str
    sha256: str


class TrailItem(BaseModel):
    """One transaction that changed something."""

    number: int
    at_s: int
    who: str
    what: str
    changes: list[TrailChange]
    previous: str
    hash: str


@router.post("/tokens", status_code=201)
async def create_token(body: TokenQuestion, caller: PersonOf, market: MarketOf) -> NewToken:
    """Makes a token for a program; for people who signed in."""
    made = await market.database.write(
        programs.create, caller.signed_in, body.name, body.scopes, body.days, market.clock()
    )
    return NewToken(**made)


@router.get("/tokens")
async def list_tokens(caller: PersonOf, market: MarketOf, paging: PagingOf) -> list[Token]:
    """The caller's tokens, newest first."""
    found = await market.database.read(programs.list_tokens, caller.signed_in, paging.piece)
    return [
        Token(**each) for each in paging.give(found, lambda each: (each["created_s"], each["id"]))
    ]


@router.delete("/tokens/{token_id}")
async def revoke_token(token_id: Identifier, caller: PersonOf, market: MarketOf) -> Token:
    """Ends a token at once."""
    return Token(
        **await market.database.write(programs.revoke, caller.signed_in, token_id, market.clock())
    )


@router.get("/members")
async def list_members(caller: PersonOf, market: MarketOf, paging: PagingOf) -> list[Role]:
    """Whom the caller gave a role."""
    found = await market.database.read(members.list_members, caller.signed_in, paging.piece)
    return [Role(**each) for each in paging.give(found, lambda each: (each["wallet"],))]


@router.put("/members/{wallet}")
async def appoint(wallet: Address, body: RoleQuestion, caller: PersonOf, market: MarketOf) -> Role:
    """Lets somebody run the caller's nodes (operator), or see what the caller sees (auditor)."""
    made = await market.database.write(
        members.appoint, caller.signed_in, wallet, body.role, market.clock()
    )
    return Role(**made)


@router.delete("/members/{wallet}", status_code=204)
async def dismiss(wallet: Address, caller: PersonOf, market: MarketOf) -> Response:
    """Takes a role away."""
    await market.database.write(members.dismiss, caller.signed_in, wallet)
    return Response(status_code=204)


@router.get("/trail")
async def read_trail(
    caller: CallerOf,
    market: MarketOf,
    after: Annotated[int, Query(ge=0, lt=2**63)] = 0,
    limit: Annotated[int, Query(ge=1, le=1_000)] = 100,
) -> list[TrailItem]:
    """The audit trail from after an entry on; for admins and auditors of the marketplace."""
    _ = caller.signed_in
    if not (caller.is_admin or caller.is_auditor):
        raise NotAllowed("only admins and auditors of the marketplace read the trail")
    return [TrailItem(**each) for each in await market.database.read(log.entries, after, limit)]
