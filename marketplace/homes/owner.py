"""What an owner of data wants to know: what was earned, why, and what can be claimed now."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from contracts.messages import Terms, from_json
from marketplace.access import Caller
from marketplace.agreements.standing import is_active
from marketplace.agreements.terms import BUDGET_RULES, METERING, name_of
from marketplace.homes.news import latest
from marketplace.money.choices import periods
from marketplace.runs import views
from marketplace.runs.readmodel import RunHistory, runs_seen
from marketplace.storage.models import Agreement, Event, Party

_LATEST = 8


def show(session: Session, caller: Caller, now_s: int) -> dict[str, Any]:
    """Earnings of the caller's organizations, by run; sums; news; what runs to come may pay.

    Amounts are wei, as decimals in strings.

    Raises:
        SignInRequired: a visitor, who owns nothing.
    """
    me = Caller(caller.signed_in)
    runs = [
        _of_run(session, run, party, now_s)
        for run in runs_seen(session, me)
        for party in run.agreement.parties
        if party.wallet == caller.wallet
    ]
    return {
        "runs": runs,
        "to_come": _to_come(session, caller, {run["agreement"] for run in runs}),
        "news": latest(session, me),
        "organizations": _organizations(session, caller),
        "periods": periods(now_s),
        **{
            name: str(sum(int(run[name]) for run in runs))
            for name in ("credited_wei", "claimed_wei", "claimable_wei", "equal_wei")
        },
    }


def _of_run(session: Session, run: RunHistory, party: Party, now_s: int) -> dict[str, Any]:
    told = views.earnings(session, run, now_s)
    mine = next(each for each in told["organizations"] if each["party"] == party.number)
    return {
        **views.summary(run),
        "run_credited_wei": told["credited_wei"],
        **{name: mine[name] for name in mine if name != "rounds"},
        "claims": [
            {"amount_wei": str(e.data["amount"]), "transaction": e.transaction, "block": e.block}
            for e in run.of_kind("Claimed")
            if e.data["party"] == party.number
        ],
        "latest": _latest(run, party.number, told),
    }


def _latest(run: RunHistory, party: int, told: dict[str, Any]) -> list[dict[str, Any]]:
    """The latest rounds that paid a party, with what the two baselines would have paid it."""
    samples = {each["party"]: each["samples"] for each in told["organizations"]}
    sealed = {row.number: row for row in run.rounds}
    mine = next(each for each in told["organizations"] if each["party"] == party)
    found = []
    for each in mine["rounds"][: -_LATEST - 1 : -1]:
        row = sealed[each["round"]]
        counted = [samples[number] for number, _ in row.shares]
        known = samples[party] is not None and all(counted)
        found.append(
            each
            | {
                "organizations": len(row.shares),
                "equal_wei": str(row.credited_wei // len(row.shares)),
                "size_bips": 10_000 * samples[party] / sum(counted) if known else None,
                "transaction": row.event.transaction,
                "block": row.event.block,
            }
        )
    return found


def _organizations(session: Session, caller: Caller) -> list[str]:
    """Those that have had an agreement in force, so that there are statements of them."""
    founded = sa.select(Event.agreement_id).where(Event.kind == "AgreementActivated")
    query = sa.select(Party.organization).where(
        Party.wallet == caller.wallet, Party.agreement_id.in_(founded)
    )
    return sorted(set(session.scalars(query)))


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
