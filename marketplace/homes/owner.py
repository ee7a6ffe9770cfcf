"""What an owner of data wants to know: what was earned, why, and what can be claimed now."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from contracts.messages import Terms, from_json
from contracts.parties import parties_in
from marketplace.access import Caller
from marketplace.agreements.service import WITHOUT_TEXT
from marketplace.agreements.standing import standings
from marketplace.agreements.terms import BUDGET_RULES, METERING, name_of
from marketplace.homes.news import latest
from marketplace.money.choices import periods
from marketplace.nodes.status import nodes_of
from marketplace.runs import views
from marketplace.runs.earnings import LATEST, in_round, samples_of, sums_of
from marketplace.runs.readmodel import RunFigures, runs_seen
from marketplace.storage.models import Agreement, Credit, Event, Party, Round


def show(session: Session, caller: Caller, now_s: int) -> dict[str, Any]:
    """Earnings of the caller's organizations, by run; sums; news; what runs to come may pay.

    Amounts are wei, as decimals in strings.

    Raises:
        SignInRequired: a visitor, who owns nothing.
    """
    me = Caller(caller.signed_in)
    seen = runs_seen(session, me)
    samples = _samples(session, seen, now_s)
    runs = [
        _of_run(session, run, party, samples[run.agreement.id])
        for run in seen
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


def _samples(session: Session, runs: Sequence[RunFigures], now_s: int) -> dict[str, dict[int, int]]:
    """What nodes say they have, by agreement and party."""
    agreements = {run.agreement.id: run.agreement for run in runs}
    return {each.id: samples_of(nodes_of(session, each, now_s)) for each in agreements.values()}


def _of_run(
    session: Session, run: RunFigures, party: Party, samples: dict[int, int]
) -> dict[str, Any]:
    [told] = sums_of(session, run, [party], samples)
    return {
        **views.summary(run),
        "run_credited_wei": str(run.credited_wei),
        **told,
        "claims": _claims(session, run.run_id, party.number),
        "latest": _latest(session, run.run_id, party.number, samples),
    }


def _claims(session: Session, run_id: str, party: int) -> list[dict[str, Any]]:
    query = sa.select(Event).where(
        Event.kind == "Claimed",
        Event.run_id == run_id,
        Event.data["party"].as_integer() == party,
    )
    return [
        {"amount_wei": str(e.data["amount"]), "transaction": e.transaction, "block": e.block}
        for e in session.scalars(query.order_by(Event.block, Event.log_index))
    ]


def _latest(
    session: Session, run_id: str, party: int, samples: dict[int, int]
) -> list[dict[str, Any]]:
    """The last rounds that paid the party, newest first, with what other splits would have paid."""
    query = (
        sa.select(Credit, Round, Event.transaction, Event.block)
        .join(Round, sa.and_(Round.run_id == Credit.run_id, Round.number == Credit.round))
        .join(Event, Event.id == Credit.event_id)
        .where(Credit.run_id == run_id, Credit.party == party)
        .order_by(Credit.round.desc())
        .limit(LATEST)
    )
    found = []
    for row, sealed, transaction, block in session.execute(query):
        among = parties_in(sealed.paid) or (party,)
        told = [samples.get(each, 0) for each in among]
        found.append(
            in_round(row)
            | {
                "organizations": len(among),
                "equal_wei": str(sealed.credited_wei // len(among)),
                "size_bips": 10_000 * samples.get(party, 0) / sum(told) if all(told) else None,
                "transaction": transaction,
                "block": block,
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
    query = query.options(*WITHOUT_TEXT).where(Agreement.id.not_in(with_runs))
    rows = session.execute(query.order_by(Agreement.created_s.desc())).all()
    stand = standings(session, [agreement.id for agreement, _ in rows])
    found = []
    for agreement, party in rows:
        if not stand[agreement.id].active:
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
