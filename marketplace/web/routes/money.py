"""/api/statements, /api/reconciliation, /api/announcements, /api/webhooks, /api/ledger."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query, Response
from pydantic import BaseModel, Field

from marketplace.access import Caller
from marketplace.errors import NotAllowed
from marketplace.money import announcements, ledger, reconciliation, webhooks
from marketplace.money.periods import parse_span
from marketplace.money.statements import Form
from marketplace.web import money_models as models
from marketplace.web.callers import CallerOf, MarketOf
from marketplace.web.fields import Hash, Identifier, Label

router = APIRouter(prefix="/api", tags=["money"])
_FORMS = {"json": "application/json", "csv": "text/csv", "pdf": "application/pdf"}
_OTHER_FORMS = {
    "text/csv": {"type": "string"},
    "application/pdf": {"type": "string", "format": "binary"},
}
_MOST_NUMBER = 2**63 - 1


class WebhookQuestion(BaseModel):
    url: Annotated[str, Field(min_length=1, max_length=2048)]
    kinds: Annotated[list[Label], Field(max_length=len(announcements.KINDS))] = []


@router.get(
    "/statements/{organization}",
    response_class=Response,
    responses={
        200: {
            "model": models.SignedStatement,
            "content": {media: {"schema": kind} for media, kind in _OTHER_FORMS.items()},
        }
    },
)
async def show_statement(
    organization: Label,
    caller: CallerOf,
    market: MarketOf,
    period: Annotated[str, Query(max_length=32)] = "all",
    form: Form = "json",
) -> Response:
    """What an organization earned and was paid in a period; the JSON is signed.

    `period`: 2026, 2026-Q3, 2026-07, 2026-07-01..2026-07-15, or all; times are UTC.
    """
    issued = await market.statements.issue(caller, organization, parse_span(period))
    data = await market.statements.write_down(issued, form)
    named = f"statement-{organization}-{period.replace('..', '-to-')}.{form}"
    headers = {
        "Content-Disposition": f'attachment; filename="{named}"',
        "Cache-Control": "no-store",
        # Of the JSON, in all forms: which file this is the picture of.
        "Statement-SHA256": issued.envelope.sha256(),
    }
    return Response(data, media_type=_FORMS[form], headers=headers)


@router.get("/statement-key", response_model=models.StatementKey)
async def show_key(market: MarketOf) -> dict[str, str]:
    """The Ed25519 key that this marketplace signs statements with."""
    return {"key": market.statements.signer.public_key}


@router.get("/reconciliation", response_model=models.Reconciliation)
async def show_reconciliation(caller: CallerOf, market: MarketOf) -> dict[str, Any]:
    """Compares all of the books with the chain, at the last block that was read."""
    _must_see_all(caller)
    report = await reconciliation.compare(market.database, market.contracts)
    return report.to_json()


@router.get("/ledger", response_model=models.LedgerPiece)
async def list_entries(
    caller: CallerOf,
    market: MarketOf,
    after: Annotated[int, Query(ge=0, le=_MOST_NUMBER)] = 0,
    limit: Annotated[int, Query(ge=1, le=ledger.MOST_AT_ONCE)] = 50,
    run: Hash | None = None,
) -> dict[str, Any]:
    """The entries of the books that the caller may see, reversals included, oldest first.

    Parties, and who audits for them, see those of their agreements and their runs.
    """
    return await market.database.read(
        ledger.list_entries, caller, after=after, limit=limit, run_id=run
    )


@router.get("/announcements", response_model=models.AnnouncementPiece)
async def list_announcements(
    caller: CallerOf,
    market: MarketOf,
    after: Annotated[int, Query(ge=0, le=_MOST_NUMBER)] = 0,
    limit: Annotated[int, Query(ge=1, le=announcements.MOST_AT_ONCE)] = 50,
    agreement: Hash | None = None,
) -> dict[str, Any]:
    """What happened in the caller's agreements, oldest first; `next` is the next `after`."""
    return await market.database.read(
        announcements.list_announcements, caller, after=after, limit=limit, agreement_id=agreement
    )


@router.post("/webhooks", status_code=201, response_model=models.NewWebhook)
async def add_webhook(body: WebhookQuestion, caller: CallerOf, market: MarketOf) -> dict[str, Any]:
    """Has announcements told at a URL; `secret` is shown this once."""
    return await market.webhooks.add(caller, body.url, body.kinds)


@router.get("/webhooks", response_model=list[models.WebhookLine])
async def list_webhooks(caller: CallerOf, market: MarketOf) -> list[dict[str, Any]]:
    """The caller's webhooks, and how many deliveries wait, arrived, failed."""
    return await market.database.read(webhooks.list_webhooks, caller)


@router.delete("/webhooks/{webhook_id}", status_code=204)
async def remove_webhook(webhook_id: Identifier, caller: CallerOf, market: MarketOf) -> None:
    """Forgets a webhook, and what was still to be told there."""
    await market.database.write(webhooks.remove, caller, webhook_id)


@router.post("/webhooks/{webhook_id}/test", response_model=models.Attempt)
async def test_webhook(
    webhook_id: Identifier, caller: CallerOf, market: MarketOf
) -> dict[str, Any]:
    """Sends a test there now, and says how it went."""
    return await market.webhooks.test(caller, webhook_id)


def _must_see_all(caller: Caller) -> None:
    if caller.signed_in and not (caller.is_admin or caller.is_auditor):
        raise NotAllowed(
            "the books of all are for admins and auditors of the marketplace",
            hint="your own part of them: GET /api/statements/{organization}, GET /api/ledger",
        )
