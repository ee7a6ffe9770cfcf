"""Pages on which an agreement comes about: choose a template, fill it in, invite, negotiate."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Request
from fastapi.responses import Response
from pydantic import ValidationError

from marketplace.access import Caller
from marketplace.agreements.drafts import LEAST_PARTIES
from marketplace.agreements.templating import BadAnswers, Template, template_named
from marketplace.app import Market
from marketplace.consortia import plain
from marketplace.consortia.proposals import OpenParty, Proposal
from marketplace.consortia.views import may_negotiate, negotiated
from marketplace.errors import MarketError
from marketplace.web.callers import CallerOf, MarketOf
from marketplace.web.fields import Hash, Identifier
from marketplace.web.forms import first, form_of, go
from marketplace.web.routes.drafts import TemplateName, differences, link
from marketplace.web.templates import page

router = APIRouter(include_in_schema=False)
_EMPTY_PARTIES = 3
Form = dict[str, list[str]]
Secret = Annotated[str, Path(min_length=1, max_length=128)]


@router.get("/drafts/new")
async def choose(request: Request, caller: CallerOf, market: MarketOf) -> Response:
    _ = caller.signed_in
    templates = (*market.templates.values(), plain.form())
    return page(request, "draft_new.html", caller, templates=templates)


@router.get("/drafts/new/{name}")
async def fill(
    request: Request, name: TemplateName, caller: CallerOf, market: MarketOf
) -> Response:
    template = _template(market, name)
    parties = [OpenParty.model_construct(organization="") for _ in range(_EMPTY_PARTIES)]
    if not caller.is_admin:
        parties[0].wallet = caller.signed_in
    else:
        _ = caller.signed_in
    return _form(request, caller, template, {}, [each.model_dump() for each in parties])


@router.post("/drafts/new/{name}")
async def start(
    request: Request, name: TemplateName, caller: CallerOf, market: MarketOf
) -> Response:
    _ = caller.signed_in
    template = _template(market, name)
    form = await form_of(request)
    if "add-party" in form:
        return _again(request, caller, template, form)
    try:
        made = await market.database.write(
            market.negotiations.start,
            caller,
            _proposal(template, form),
            first(form, "note"),
            market.clock(),
        )
    except MarketError as error:
        return _again(request, caller, template, form, error)
    return go(f"/drafts/{made['id']}")


@router.get("/drafts/{draft_id}")
async def show(
    request: Request, draft_id: Identifier, caller: CallerOf, market: MarketOf
) -> Response:
    return await _draft(request, caller, market, draft_id)


@router.get("/drafts/{draft_id}/edit")
async def edit(
    request: Request, draft_id: Identifier, caller: CallerOf, market: MarketOf
) -> Response:
    await market.database.read(negotiated, caller, draft_id)
    shown = await market.database.read(market.negotiations.show, caller, draft_id)
    proposal = shown["proposal"]
    template = _template(market, proposal["template"])
    answers = proposal["answers"] if proposal["template"] else plain.answers_of(proposal)
    return _form(request, caller, template, answers, proposal["parties"], shown)


@router.post("/drafts/{draft_id}/edit")
async def propose(
    request: Request, draft_id: Identifier, caller: CallerOf, market: MarketOf
) -> Response:
    await market.database.read(negotiated, caller, draft_id)
    shown = await market.database.read(market.negotiations.show, caller, draft_id)
    template = _template(market, shown["proposal"]["template"])
    form = await form_of(request)
    if "add-party" in form:
        return _again(request, caller, template, form, None, shown)
    try:
        await market.database.write(
            market.negotiations.propose,
            caller,
            draft_id,
            _number(first(form, "based-on")),
            _proposal(template, form, shown["proposal"]["fields"]),
            first(form, "note"),
            market.clock(),
        )
    except MarketError as error:
        return _again(request, caller, template, form, error, shown)
    return go(f"/drafts/{draft_id}")


@router.get("/drafts/{draft_id}/changes")
async def changes(
    request: Request,
    draft_id: Identifier,
    caller: CallerOf,
    market: MarketOf,
    before: Annotated[int | None, Query(alias="from", ge=1, lt=2**31)] = None,
    after: Annotated[int | None, Query(alias="to", ge=1, lt=2**31)] = None,
) -> Response:
    shown = await market.database.read(market.negotiations.show, caller, draft_id)
    found = await market.database.read(differences, market, caller, draft_id, before, after)
    return page(request, "draft_changes.html", caller, draft=shown, changes=found)


@router.post("/drafts/{draft_id}/comments")
async def comment(
    request: Request, draft_id: Identifier, caller: CallerOf, market: MarketOf
) -> Response:
    text = first(await form_of(request), "text")
    await market.database.write(market.negotiations.comment, caller, draft_id, text, market.clock())
    return go(f"/drafts/{draft_id}#comments")


@router.post("/drafts/{draft_id}/invitations")
async def invite(
    request: Request, draft_id: Identifier, caller: CallerOf, market: MarketOf
) -> Response:
    organization = first(await form_of(request), "organization")
    made = await market.database.write(
        market.invitations.create, caller, draft_id, organization, market.clock()
    )
    # Shown in the answer itself, since it is kept nowhere.
    invited = made | {"link": link(market, made["secret"])}
    return await _draft(request, caller, market, draft_id, invited)


@router.post("/drafts/{draft_id}/invitations/{invitation_id}/revoke")
async def revoke(
    draft_id: Identifier, invitation_id: Identifier, caller: CallerOf, market: MarketOf
) -> Response:
    await market.database.write(
        market.invitations.revoke, caller, draft_id, invitation_id, market.clock()
    )
    return go(f"/drafts/{draft_id}")


@router.post("/drafts/{draft_id}/offer")
async def offer(
    request: Request, draft_id: Identifier, caller: CallerOf, market: MarketOf
) -> Response:
    version = first(await form_of(request), "version")
    shown = await market.database.write(
        market.negotiations.offer, caller, draft_id, _number(version), market.clock()
    )
    kind = "amendments" if shown["amends"] else "agreements"
    return go(f"/{kind}/{shown['offered']}")


@router.post("/drafts/{draft_id}/withdraw")
async def withdraw(draft_id: Identifier, caller: CallerOf, market: MarketOf) -> Response:
    await market.database.write(market.negotiations.withdraw, caller, draft_id, market.clock())
    return go("/agreements")


@router.post("/agreements/{agreement_id}/amend")
async def amend(agreement_id: Hash, caller: CallerOf, market: MarketOf) -> Response:
    """Begins the draft of an amendment with what is in force."""
    made = await market.database.write(
        market.negotiations.amend, caller, agreement_id, None, "As in force.", market.clock()
    )
    return go(f"/drafts/{made['id']}")


@router.get("/join/{secret}")
async def invitation(
    request: Request, secret: Secret, caller: CallerOf, market: MarketOf
) -> Response:
    shown = await market.database.read(market.invitations.read, secret, market.clock())
    return page(request, "join.html", caller, draft=shown, secret=secret)


@router.post("/join/{secret}")
async def join(secret: Secret, caller: CallerOf, market: MarketOf) -> Response:
    shown = await market.database.write(market.invitations.accept, caller, secret, market.clock())
    return go(f"/drafts/{shown['id']}")


async def _draft(
    request: Request,
    caller: Caller,
    market: Market,
    draft_id: str,
    invited: Mapping[str, Any] | None = None,
) -> Response:
    shown = await market.database.read(market.negotiations.show, caller, draft_id)
    open_invitations = [
        each
        for each in shown["invitations"]
        if not (each["used_s"] or each["revoked_s"]) and each["expires_s"] > market.clock()
    ]
    return page(
        request,
        "draft.html",
        caller,
        draft=shown,
        invited=invited,
        open_invitations=open_invitations,
        may_change=await market.database.read(may_negotiate, caller, draft_id),
        may_withdraw=caller.is_admin or caller.wallet == shown["started_by"],
    )


def _template(market: Market, name: str) -> Template:
    return plain.form() if name in ("", plain.NAME) else template_named(market.templates, name)


def _proposal(template: Template, form: Form, before: Mapping[str, Any] | None = None) -> Proposal:
    answers = {each.name: first(form, each.name) for each in template.fields}
    wrong: dict[str, str] = {}
    parties = []
    for n, each in enumerate(_parties(form)):
        if not any(each[name] for name in _TEXTS):
            continue  # a row that was left blank
        try:
            parties.append(OpenParty(**each))
        except ValidationError as error:
            wrong |= {f"parties.{n}.{place}": said for place, said in _said(error)}
    # Everything that is wrong is told at once.
    try:
        template.answered(answers)
    except BadAnswers as error:
        wrong |= error.fields
    if not wrong and len(parties) < LEAST_PARTIES:
        wrong["parties"] = f"an agreement has {LEAST_PARTIES} parties at least"
    if wrong:
        raise BadAnswers(wrong)
    if template is plain.form():
        return plain.proposal_of(answers, parties, before)
    try:
        return Proposal(template=template.name, answers=answers, parties=parties)
    except ValidationError as error:
        raise BadAnswers(dict(_said(error))) from error


def _said(error: ValidationError) -> list[tuple[str, str]]:
    """Where and what, without the words of the library."""
    return [
        (".".join(map(str, each["loc"])), each["msg"].removeprefix("Value error, "))
        for each in error.errors()
    ]


def _number(text: str) -> int:
    """A version's number; one that is none is none of the draft's either."""
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else 0


_TEXTS = ("organization", "name", "wallet")


def _parties(form: Form) -> list[dict[str, Any]]:
    count = max((len(form.get(f"party-{name}", [])) for name in _TEXTS), default=0)
    columns = {name: form.get(f"party-{name}", []) for name in (*_TEXTS, "weight")}
    return [
        {name: (values[n].strip() if n < len(values) else "") for name, values in columns.items()}
        | {"weight": (columns["weight"][n].strip() if n < len(columns["weight"]) else "") or "1"}
        for n in range(count)
    ]


def _again(
    request: Request,
    caller: Caller,
    template: Template,
    form: Form,
    error: MarketError | None = None,
    draft: Mapping[str, Any] | None = None,
) -> Response:
    """The form as it was sent, with what is wrong beside the fields; or with one more party."""
    answers = {each.name: first(form, each.name) for each in template.fields}
    parties = _parties(form)
    if "add-party" in form:
        parties.append({"organization": "", "name": "", "wallet": "", "weight": "1"})
    shown = _form(
        request,
        caller,
        template,
        answers,
        parties,
        draft,
        note=first(form, "note"),
        error=error,
    )
    shown.status_code = error.status if error else 200
    return shown


def _form(
    request: Request,
    caller: Caller,
    template: Template,
    answers: Mapping[str, str],
    parties: list[dict[str, Any]],
    draft: Mapping[str, Any] | None = None,
    *,
    note: str = "",
    error: MarketError | None = None,
) -> Response:
    return page(
        request,
        "draft_form.html",
        caller,
        template=template,
        answers={each.name: answers.get(each.name, each.default) for each in template.fields},
        parties=parties,
        draft=draft,
        note=note,
        error=error,
        wrong=error.fields if isinstance(error, BadAnswers) else {},
    )
