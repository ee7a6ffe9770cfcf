"""What an owner of data wants to know: what was earned, why, and what can be claimed now."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from contracts.messages import Terms, from_json
from marketplace.access import Caller
from marketplace.agreements.standing import is_active
from marketplace.agreements.terms import BUDGET_RULES, METERING, name_of
from marketplace.runs import views
from marketplace.runs.readmodel import RunHistory, runs_seen
from marketplace.storage.models import Agreement, Party

_LATEST = 8


def show(session: Session, caller: Caller, now_s: int) -> dict[str, Any]:
    """Earnings of the caller's organizations, by run; sums; what runs to come may pay.

    Amounts are wei, as decimals in strings.

    Raises:
        SignInRequired: a visitor, who owns nothing.
    """
    runs = [
        _of_run(session, run, party, now_s)
        for run in runs_seen(session, Caller(caller.signed_in))
        for party in run.agreement.parties
        if party.wallet == caller.wallet
    ]
    return {
        "runs": runs,
        "to_come": _to_come(session, caller, {run["agreement"] for run in runs}),
        **{
            name: str(sum(int(run[name]) for run in runs))
            for name in ("credited_wei", "claimed_wei", "claimable_wei", "equal_wei")
        },
    }


def _of_run(session: Session, run: RunHistory, party: Party, now_s: int) -> dict[str, Any]:
    told = views.earnings(session, run, now_s)
    mine = next(each for each in told["organizations"] if each["party"] == party.number)
    shares = {row.number: dict(row.shares) for row in run.rounds}
    return {
        **views.summary(run),
        "run_credited_wei": told["credited_wei"],
        **{name: mine[name] for name in mine if name != "rounds"},
        "claims": [
            {"amount_wei": str(e.data["amount"]), "transaction": e.transaction, "block": e.block}
            for e in run.of_kind("Claimed")
            if e.data["party"] == party.number
        ],
        "latest": [
            each | {"organizations": len(shares[each["round"]])}
            for each in mine["rounds"][: -_LATEST - 1 : -1]
        ],
    }


def _to_come(session: Session, caller: Caller, with_runs: set[str]) -> list[dict[str, Any]]:
    """Agreements in force under which nothing runs yet: what their runs may pay."""
    query = (
        sa.select(Agreement, Party)
        .join(Party, Party.agreement_id == Agreement.id)
        .where(Party.wallet == caller.wallet)
    )
    found = []
    for agreement, party in session.execute(query.order_by(Agreement.created_s.desc())):
        if agreement.id in with_runs or not is_active(session, agreement.id):
            continue
        terms = from_json(Terms, agreement.message["terms"])
        found.append(
            {
                "agreement": agreement.id,
                "title": agreement.title,
                "organization": party.organization,
                "budget_wei": str(terms.budget),
                "equal_wei": str(terms.budget // len(agreement.parties)),
                "metering": name_of(METERING, terms.metering),
                "by_progress": terms.budget_rule == BUDGET_RULES["progress"],
                "max_rounds": terms.max_rounds,
            }
        )
    return found
