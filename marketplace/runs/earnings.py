"""Who earned what in a run, as the API and the pages show it. Amounts are decimals in strings.

What an organization was credited and paid are balances of the books; what it would have been under
another split follows from the rounds. Nothing of it is kept from one look to the next.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import chain
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from marketplace.access import Caller, party_of
from marketplace.agreements.terms import METERING, name_of
from marketplace.chain.books import balances_of
from marketplace.nodes.status import nodes_of
from marketplace.runs.readmodel import RunFigures, run_seen
from marketplace.runs.splits import split_otherwise
from marketplace.storage.models import Credit, Event, Party
from marketplace.storage.pieces import By, Piece, cut
from metering.ledger import Account, Kind

LATEST = 8
"""Rounds that are told beside the sums."""
IN_ROUND = (Credit.round, Credit.share_bips, Credit.amount_wei)
"""Columns that say what one round credited."""


def show_earnings(session: Session, caller: Caller, run_id: str, now_s: int) -> dict[str, Any]:
    """Who earned what in a run, beside the two baselines. Raises NotFound.

    `equal_wei` and `size_wei` split what each round credited equally, and by the samples that the
    nodes say they have, over the organizations in the round's row. Samples are the nodes' own
    word: without it for every organization there is no `size_wei`. `rounds` are the latest.
    """
    run = run_seen(session, caller, run_id)
    samples = samples_of(nodes_of(session, [run.agreement], now_s))
    latest = _latest(session, run)
    shown = [
        told | {"rounds": latest.get(told["party"], [])}
        for told in sums_of(session, run, run.agreement.parties, samples)
    ]
    return {
        "run": run.run_id,
        "metering": name_of(METERING, run.terms.metering),
        "funded_wei": str(run.funded_wei),
        "vested_wei": str(run.vested_wei),
        "credited_wei": str(run.credited_wei),
        "organizations": shown,
    }


def sums_of(
    session: Session, run: RunFigures, parties: Sequence[Party], samples: Mapping[int, int]
) -> list[dict[str, Any]]:
    """What these parties of a run were credited and paid, beside the two baselines.

    Args:
        session: reads.
        run: the run.
        parties: of its agreement.
        samples: of all its parties, as `samples_of` has them.
    """
    return sums_of_seats(session, [(run, party) for party in parties], {run.agreement.id: samples})


def sums_of_seats(
    session: Session,
    seats: Sequence[tuple[RunFigures, Party]],
    samples: Mapping[str, Mapping[int, int]],
) -> list[dict[str, Any]]:
    """`sums_of`, of parties in several runs, in this order.

    Args:
        session: reads.
        seats: runs, each with a party of its agreement.
        samples: by agreement and party.
    """
    runs = {run.run_id: run for run, _ in seats}
    splits = split_otherwise(session, list(runs.values()), samples)
    accounts = [
        (
            Account(Kind.CLAIMABLE, run.run_id, party.number),
            Account(Kind.PAID, run.run_id, party.number),
        )
        for run, party in seats
    ]
    held = balances_of(session, chain.from_iterable(accounts))
    shown = []
    for (run, party), own in zip(seats, accounts, strict=True):
        claimable, claimed = (held.get(each, 0) for each in own)
        split = splits[run.run_id]
        shown.append(
            {
                "party": party.number,
                "organization": party.organization,
                "wallet": party.wallet,
                "credited_wei": str(claimable + claimed),
                "claimed_wei": str(claimed),
                "claimable_wei": str(claimable),
                "equal_wei": str(split.equal_wei[party.number]),
                "size_wei": None if split.size_wei is None else str(split.size_wei[party.number]),
                "samples": samples.get(run.agreement.id, {}).get(party.number),
            }
        )
    return shown


def list_credits(
    session: Session, caller: Caller, run_id: str, organization: str | None, piece: Piece
) -> list[dict[str, Any]]:
    """What each round credited to whom, in order; the place is (`round`, `party`).

    Raises:
        NotFound: no such run that the caller may see, or no such party.
        InvalidInput: the piece's place is none.
    """
    run = run_seen(session, caller, run_id)
    query = (
        sa.select(*IN_ROUND, Credit.party, Event.transaction, Event.block)
        .join(Event, Event.id == Credit.event_id)
        .where(Credit.run_id == run.run_id)
    )
    if organization is not None:
        party = party_of(
            run.agreement, lambda each: each.organization == organization, organization
        )
        query = query.where(Credit.party == party.number)
    names = {party.number: party.organization for party in run.agreement.parties}
    return [
        in_round(row.round, row.share_bips, row.amount_wei)
        | {
            "party": row.party,
            "organization": names[row.party],
            "transaction": row.transaction,
            "block": row.block,
        }
        for row in session.execute(cut(query, piece, By(Credit.round), By(Credit.party)))
    ]


def in_round(number: int, share_bips: int, amount_wei: int) -> dict[str, Any]:
    """What one round credited, by the columns `IN_ROUND`."""
    return {"round": number, "share_bips": share_bips, "amount_wei": str(amount_wei)}


def samples_of(nodes: Sequence[Mapping[str, Any]]) -> dict[int, int]:
    """Party to the samples that its nodes say they have."""
    found: dict[int, int] = {}
    for node in nodes:
        last = node["status"].get("last")
        said = last.get("samples") if isinstance(last, dict) else None
        if isinstance(said, int) and said > 0:
            found[node["party"]] = found.get(node["party"], 0) + said
    return found


def _latest(session: Session, run: RunFigures) -> Mapping[int, list[dict[str, Any]]]:
    """What the latest rounds credited, in order, by party."""
    query = sa.select(Credit.party, *IN_ROUND).where(
        Credit.run_id == run.run_id, Credit.round >= max(run.rounds - LATEST, 0)
    )
    found: dict[int, list[dict[str, Any]]] = {}
    for row in session.execute(query.order_by(Credit.round)):
        found.setdefault(row.party, []).append(in_round(row.round, row.share_bips, row.amount_wei))
    return found
