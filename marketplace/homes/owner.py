"""What an owner of data wants to know: what was earned, why, and what can be claimed now."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.orm import Session

from contracts.messages import Terms, from_json
from contracts.parties import parties_in
from marketplace.access import Caller
from marketplace.agreements.terms import BUDGET_RULES, METERING, name_of
from marketplace.homes import news
from marketplace.money.choices import periods
from marketplace.nodes.status import nodes_of
from marketplace.runs import views
from marketplace.runs.earnings import IN_ROUND, LATEST, in_round, samples_of, sums_of_seats
from marketplace.runs.readmodel import RunFigures, runs_seen
from marketplace.storage.models import WITHOUT_TEXT, Agreement, Credit, Event, Party, Round

_FOUNDED: Final = sa.select(Event.agreement_id).where(Event.kind == "AgreementActivated")

Seats = Sequence[tuple[RunFigures, Party]]
"""Runs, each with the party that the caller is in it."""


def show(session: Session, caller: Caller, now_s: int) -> dict[str, Any]:
    """Earnings of the caller's organizations, by run; sums; news; what runs to come may pay.

    Amounts are wei, as decimals in strings.

    Raises:
        SignInRequired: a visitor, who owns nothing.
    """
    me = Caller(caller.signed_in)
    seats = [
        (run, party)
        for run in runs_seen(session, me)
        for party in run.agreement.parties
        if party.wallet == me.wallet
    ]
    samples = _samples(session, seats, now_s)
    claims, latest = _claims(session, me), _latest(session, me, seats, samples)
    runs = [
        {
            **views.summary(run),
            "run_credited_wei": str(run.credited_wei),
            **told,
            "claims": claims.get(run.run_id, []),
            "latest": latest.get(run.run_id, []),
        }
        for (run, _), told in zip(seats, sums_of_seats(session, seats, samples), strict=True)
    ]
    return {
        "runs": runs,
        "to_come": _to_come(session, me, {run["agreement"] for run in runs}),
        "news": news.latest(session, me),
        "organizations": _organizations(session, me),
        "periods": periods(now_s),
        **{
            name: str(sum(int(run[name]) for run in runs))
            for name in ("credited_wei", "claimed_wei", "claimable_wei", "equal_wei")
        },
    }


def _samples(session: Session, seats: Seats, now_s: int) -> dict[str, dict[int, int]]:
    """What nodes say they have, by agreement and party."""
    agreements = {run.agreement.id: run.agreement for run, _ in seats}
    nodes = nodes_of(session, list(agreements.values()), now_s)
    return {
        agreement_id: samples_of([node for node in nodes if node["agreement"] == agreement_id])
        for agreement_id in agreements
    }


def _claims(session: Session, me: Caller) -> dict[str, list[dict[str, Any]]]:
    """What was paid out, by run, in the order of the chain."""
    mine = _places(me)
    seat = mine.c.run_id == Event.run_id, mine.c.party == Event.data["party"].as_integer()
    query = (
        sa.select(Event.run_id, Event.data, Event.transaction, Event.block)
        .join(mine, sa.and_(*seat))
        .where(Event.kind == "Claimed")
    )
    found: dict[str, list[dict[str, Any]]] = {}
    for row in session.execute(query.order_by(Event.block, Event.log_index)):
        paid = {"amount_wei": str(row.data["amount"])}
        paid |= {"transaction": row.transaction, "block": row.block}
        found.setdefault(row.run_id, []).append(paid)
    return found


def _latest(
    session: Session, me: Caller, seats: Seats, samples: Mapping[str, Mapping[int, int]]
) -> dict[str, list[dict[str, Any]]]:
    """The last rounds that paid, by run, newest first, with what other splits would have paid."""
    mine = _places(me)
    seat = mine.c.run_id == Credit.run_id, mine.c.party == Credit.party
    query = (
        sa.select(Credit.run_id, Credit.party, *IN_ROUND)
        .add_columns(Round.paid, Round.credited_wei, Event.transaction, Event.block)
        .join(mine, sa.and_(*seat, mine.c.since <= Credit.round))
        .join(Round, sa.and_(Round.run_id == Credit.run_id, Round.number == Credit.round))
        .join(Event, Event.id == Credit.event_id)
        .order_by(Credit.round.desc())
    )
    declared = {run.run_id: samples[run.agreement.id] for run, _ in seats}
    found: dict[str, list[dict[str, Any]]] = {}
    for row in session.execute(query):
        among = parties_in(row.paid) or (row.party,)
        own = declared[row.run_id].get(row.party, 0)
        told = [declared[row.run_id].get(each, 0) for each in among]
        found.setdefault(row.run_id, []).append(
            in_round(row.round, row.share_bips, row.amount_wei)
            | {
                "organizations": len(among),
                "equal_wei": str(row.credited_wei // len(among)),
                "size_bips": 10_000 * own / sum(told) if all(told) else None,
                "transaction": row.transaction,
                "block": row.block,
            }
        )
    return found


def _places(me: Caller) -> sa.Subquery:
    """The caller's runs, his number in each, and the round that the latest there begin with."""
    paid = sa.orm.aliased(Credit)
    since = (
        sa.select(paid.round)
        .where(paid.run_id == Event.run_id, paid.party == Party.number)
        .order_by(paid.round.desc())
        .offset(LATEST - 1)
        .limit(1)
        .scalar_subquery()
    )
    return (
        sa.select(
            Event.run_id, Party.number.label("party"), sa.func.coalesce(since, 0).label("since")
        )
        .join(Party, Party.agreement_id == Event.agreement_id)
        .where(Event.kind == "RunCreated", Party.wallet == me.wallet)
        .subquery()
    )


def _organizations(session: Session, caller: Caller) -> list[str]:
    """Those that have had an agreement in force, so that there are statements of them."""
    query = sa.select(Party.organization).where(
        Party.wallet == caller.wallet, Party.agreement_id.in_(_FOUNDED)
    )
    return sorted(set(session.scalars(query)))


def _to_come(session: Session, caller: Caller, with_runs: set[str]) -> list[dict[str, Any]]:
    """Agreements in force under which nothing runs yet: what their runs may pay."""
    query = (
        sa.select(Agreement, Party)
        .join(Party, Party.agreement_id == Agreement.id)
        .where(Party.wallet == caller.wallet, Agreement.id.in_(_FOUNDED))
    )
    query = query.options(*WITHOUT_TEXT).where(Agreement.id.not_in(with_runs))
    found = []
    for agreement, party in session.execute(query.order_by(Agreement.created_s.desc())):
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
