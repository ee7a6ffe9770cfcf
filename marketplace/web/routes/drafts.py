"""/api/templates, /api/drafts, /api/invitations: from a first idea to an offer for signature."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Path, Query
from pydantic import BaseModel, Field
from sqlalchemy.orm import Session

from marketplace.access import Caller
from marketplace.agreements.templating import Template, template_named
from marketplace.app import Market
from marketplace.consortia.differences import compare
from marketplace.consortia.proposals import Proposal
from marketplace.consortia.views import last_version, negotiation_seen, version_of
from marketplace.errors import InvalidInput
from marketplace.web import consortium_models as models
from marketplace.web.callers import CallerOf, MarketOf
from marketplace.web.fields import Hash, Identifier, Label
from marketplace.web.paging import PagingOf

router = APIRouter(prefix="/api", tags=["drafts"])
_MOST_CHARACTERS = 4_000
Version = Annotated[int, Path(ge=1, lt=2**31)]
TemplateName = Annotated[str, Path(pattern="^[a-z][a-z0-9-]{0,40}$")]


class NewDraft(BaseModel):
    """A proposal, or the id of an agreement to amend, or both."""

    proposal: Proposal | None = None
    amends: Hash | None = None
    note: str = Field(default="", max_length=_MOST_CHARACTERS)


class NewVersion(BaseModel):
    based_on: int = Field(ge=1, lt=2**31)
    proposal: Proposal
    note: str = Field(default="", max_length=_MOST_CHARACTERS)


class NewComment(BaseModel):
    text: str = Field(min_length=1, max_length=_MOST_CHARACTERS)


class NewInvitation(BaseModel):
    organization: Label


class Offer(BaseModel):
    version: int = Field(ge=1, lt=2**31)


class Link(BaseModel):
    secret: str = Field(min_length=1, max_length=128)


@router.get("/templates", response_model=list[models.TemplateLine])
async def list_templates(market: MarketOf) -> list[dict[str, Any]]:
    """The templates that drafts are made from."""
    return [_template(each) for each in market.templates.values()]


@router.get("/templates/{name}", response_model=models.Template)
async def show_template(name: TemplateName, market: MarketOf) -> dict[str, Any]:
    """A template with its questions and its text."""
    template = template_named(market.templates, name)
    fields = [
        {
            "name": each.name,
            "label": each.label,
            "kind": each.kind,
            "group": each.group,
            "help": each.help,
            "default": each.default,
            "required": each.required,
            "unit": each.unit,
            "choices": [{"value": choice.value, "label": choice.label} for choice in each.choices],
        }
        for each in template.fields
    ]
    return _template(template) | {"fields": fields, "text": template.body}


@router.post("/drafts", status_code=201, response_model=models.Negotiation)
async def start(body: NewDraft, caller: CallerOf, market: MarketOf) -> dict[str, Any]:
    """Begins a draft: of a new agreement, or of an amendment."""
    now_s = market.clock()
    if body.amends is not None:
        return await market.database.write(
            market.negotiations.amend, caller, body.amends, body.proposal, body.note, now_s
        )
    if body.proposal is None:
        raise InvalidInput("a draft begins with a proposal, or names what it amends")
    return await market.database.write(
        market.negotiations.start, caller, body.proposal, body.note, now_s
    )


@router.get("/drafts", response_model=list[models.NegotiationLine])
async def list_drafts(
    caller: CallerOf,
    market: MarketOf,
    paging: PagingOf,
    agreement: Annotated[Hash | None, Query()] = None,
) -> list[dict[str, Any]]:
    """The drafts that the caller began or takes part in, the latest change first."""
    found = await market.database.read(market.negotiations.list, caller, agreement, paging.piece)
    return paging.give(found, lambda each: (each["updated_s"], each["id"]))


@router.get("/drafts/{draft_id}", response_model=models.Negotiation)
async def show(draft_id: Identifier, caller: CallerOf, market: MarketOf) -> dict[str, Any]:
    """A draft: last version, history, comments, invitations."""
    return await market.database.read(market.negotiations.show, caller, draft_id)


@router.post("/drafts/{draft_id}/versions", status_code=201, response_model=models.Negotiation)
async def propose(
    draft_id: Identifier, body: NewVersion, caller: CallerOf, market: MarketOf
) -> dict[str, Any]:
    """A counter-proposal."""
    return await market.database.write(
        market.negotiations.propose,
        caller,
        draft_id,
        body.based_on,
        body.proposal,
        body.note,
        market.clock(),
    )


@router.get("/drafts/{draft_id}/versions/{version}", response_model=models.Version)
async def show_version(
    draft_id: Identifier, version: Version, caller: CallerOf, market: MarketOf
) -> dict[str, Any]:
    """One version: its text, hash and answers."""
    return await market.database.read(_version, caller, draft_id, version)


@router.get("/drafts/{draft_id}/changes", response_model=models.Changes)
async def changes(
    draft_id: Identifier,
    caller: CallerOf,
    market: MarketOf,
    before: Annotated[int | None, Query(alias="from", ge=1, lt=2**31)] = None,
    after: Annotated[int | None, Query(alias="to", ge=1, lt=2**31)] = None,
) -> dict[str, Any]:
    """What changed between two versions; by default, with the last one."""
    return await market.database.read(differences, market, caller, draft_id, before, after)


@router.post("/drafts/{draft_id}/comments", status_code=201, response_model=models.Negotiation)
async def comment(
    draft_id: Identifier, body: NewComment, caller: CallerOf, market: MarketOf
) -> dict[str, Any]:
    """Says something about the last version."""
    return await market.database.write(
        market.negotiations.comment, caller, draft_id, body.text, market.clock()
    )


@router.post("/drafts/{draft_id}/invitations", status_code=201, response_model=models.NewLink)
async def invite(
    draft_id: Identifier, body: NewInvitation, caller: CallerOf, market: MarketOf
) -> dict[str, Any]:
    """A link for one party, good once; shown this once."""
    made = await market.database.write(
        market.invitations.create, caller, draft_id, body.organization, market.clock()
    )
    return made | {"link": link(market, made["secret"])}


@router.delete("/drafts/{draft_id}/invitations/{invitation_id}", response_model=models.Negotiation)
async def revoke(
    draft_id: Identifier, invitation_id: Identifier, caller: CallerOf, market: MarketOf
) -> dict[str, Any]:
    """Takes a link back."""
    return await market.database.write(
        market.invitations.revoke, caller, draft_id, invitation_id, market.clock()
    )


@router.post("/drafts/{draft_id}/offer", response_model=models.Negotiation)
async def offer(
    draft_id: Identifier, body: Offer, caller: CallerOf, market: MarketOf
) -> dict[str, Any]:
    """Offers the last version for signature."""
    return await market.database.write(
        market.negotiations.offer, caller, draft_id, body.version, market.clock()
    )


@router.post("/drafts/{draft_id}/withdrawal", response_model=models.Negotiation)
async def withdraw(draft_id: Identifier, caller: CallerOf, market: MarketOf) -> dict[str, Any]:
    """Ends a draft without an agreement."""
    return await market.database.write(
        market.negotiations.withdraw, caller, draft_id, market.clock()
    )


@router.post("/invitations/read", response_model=models.Invited)
async def read_invitation(body: Link, market: MarketOf) -> dict[str, Any]:
    """The draft behind a link; spends nothing."""
    return await market.database.read(market.invitations.read, body.secret, market.clock())


@router.post("/invitations/accept", response_model=models.Negotiation)
async def accept_invitation(body: Link, caller: CallerOf, market: MarketOf) -> dict[str, Any]:
    """Takes the party's seat with the wallet that is signed in."""
    return await market.database.write(
        market.invitations.accept, caller, body.secret, market.clock()
    )


def link(market: Market, secret: str) -> str:
    """Where a partner opens his invitation."""
    return f"{market.settings.public_web_url}/join/{secret}"


def differences(
    session: Session,
    market: Market,
    caller: Caller,
    draft_id: str,
    before: int | None,
    after: int | None,
) -> dict[str, Any]:
    """What changed between two versions of a draft. Raises NotFound."""
    row = negotiation_seen(session, caller, draft_id)
    to = after or last_version(session, row.id).number
    since = before or max(to - 1, 1)
    return compare(
        version_of(session, row.id, since), version_of(session, row.id, to), market.templates
    )


def _version(session: Session, caller: Caller, draft_id: str, number: int) -> dict[str, Any]:
    row = negotiation_seen(session, caller, draft_id)
    found = version_of(session, row.id, number)
    return {
        "draft": row.id,
        "version": found.number,
        "proposal": found.proposal,
        "document": found.document,
        "document_sha256": found.document_sha256,
        "open_items": found.open_items,
        "author": found.author,
        "note": found.note,
        "created_s": found.created_s,
    }


def _template(template: Template) -> dict[str, Any]:
    return {
        "name": template.name,
        "label": template.label,
        "version": template.version,
        "summary": template.summary,
        "sha256": template.sha256,
    }
