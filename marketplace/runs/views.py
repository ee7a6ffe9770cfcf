"""Runs, rounds and earnings as the API and the pages show them. Amounts are decimals in strings."""

from __future__ import annotations

from typing import Any

from sqlalchemy.orm import Session

from contracts.training import Ending
from marketplace.access import Caller
from marketplace.agreements.terms import METERING, name_of
from marketplace.nodes.registry import registrations
from marketplace.nodes.status import nodes_of
from marketplace.runs.attendance import REASONS, attendance
from marketplace.runs.leaders import leaders
from marketplace.runs.notes import notes_of
from marketplace.runs.readmodel import RunHistory, run_seen, runs_seen

ENDINGS = {
    Ending.TARGET_REACHED: "target reached",
    Ending.ROUNDS_DONE: "all rounds done",
    Ending.AGREEMENT_OVER: "agreement over",
    Ending.PATIENCE: "no more progress",
}


def list_runs(session: Session, caller: Caller) -> list[dict[str, Any]]:
    """The runs that the caller may see, newest first."""
    runs = runs_seen(session, caller)
    notes = notes_of(session, [run.run_id for run in runs])
    return [summary(run) | {"note": notes[run.run_id]} for run in runs]


def show_run(session: Session, caller: Caller, run_id: str) -> dict[str, Any]:
    """One run. Raises NotFound."""
    run = run_seen(session, caller, run_id)
    leading = leaders(session, run)
    open_leaders = leading.get(run.open_round, ()) if run.open_round is not None else ()
    return summary(run) | {
        "leader": open_leaders[0] if open_leaders else None,
        "note": notes_of(session, [run_id])[run_id],
    }


def summary(run: RunHistory) -> dict[str, Any]:
    """A run on one line of a list."""
    last = run.rounds[-1] if run.rounds else None
    return {
        "id": run.run_id,
        "name": run.name,
        "agreement": run.agreement.id,
        "agreement_title": run.agreement.title,
        "state": "open" if run.ending is None else "finished",
        "ending": None if run.ending is None else ENDINGS[run.ending],
        "round": run.open_round,
        "sealed_rounds": len(run.rounds),
        "max_rounds": run.terms.max_rounds,
        "metering": name_of(METERING, run.terms.metering),
        "initial_loss_e9": run.initial_loss_e9,
        "target_loss_e9": run.terms.target_loss,
        "best_loss_e9": run.best_loss_e9,
        "last_loss_e9": last.loss_after_e9 if last else None,
        "last_metric_e9": last.metric_e9 if last else None,
        "merged_root": last.merged_root if last else None,
        "gain_ppm": run.gain_ppm,
        "funded_wei": str(run.funded_wei),
        "vested_wei": str(run.vested_wei),
        "credited_wei": str(run.credited_wei),
        "block": run.created.block,
        "transaction": run.created.transaction,
    }


def list_rounds(session: Session, caller: Caller, run_id: str) -> list[dict[str, Any]]:
    """The sealed rounds of a run, in order. Raises NotFound."""
    run = run_seen(session, caller, run_id)
    organizations = {party.number: party.organization for party in run.agreement.parties}
    registered = registrations(session, run.agreement.id)
    nodes = {each.registration: each for each in registered}
    leading = leaders(session, run)
    return [
        {
            "round": row.number,
            "term": row.term,
            "leader": _led(leading[row.number], row.term),
            "loss_before_e9": row.loss_before_e9,
            "loss_after_e9": row.loss_after_e9,
            "metric_e9": row.metric_e9,
            "merged_root": row.merged_root,
            "shares": [
                {"party": party, "organization": organizations[party], "share_bips": bips}
                for party, bips in row.shares
            ],
            "rejects": [
                {
                    "spiffe_id": nodes[number].spiffe_id if number in nodes else f"node {number}",
                    "reason": REASONS.get(code, f"code {code}"),
                }
                for number, code in row.rejects
            ],
            "signers": [nodes[number].spiffe_id for number in row.signers],
            "attendance": attendance(run, registered, row),
            "credited_wei": str(row.credited_wei),
            "transaction": row.event.transaction,
            "block": row.event.block,
            "prev": row.event.data["prev"],
        }
        for row in run.rounds
    ]


def show_earnings(session: Session, caller: Caller, run_id: str, now_s: int) -> dict[str, Any]:
    """Who earned what in a run, beside the two baselines. Raises NotFound.

    `equal_wei` and `size_wei` split what each round credited equally, and by the samples that the
    nodes say they have, over the organizations in the round's row. Samples are the nodes' own
    word: without it for every organization there is no `size_wei`.
    """
    return earnings(session, run_seen(session, caller, run_id), now_s)


def earnings(session: Session, run: RunHistory, now_s: int) -> dict[str, Any]:
    """`show_earnings`, of a run at hand."""
    samples = _samples(session, run, now_s)
    equal, size = _baselines(run, samples)
    return {
        "run": run.run_id,
        "metering": name_of(METERING, run.terms.metering),
        "funded_wei": str(run.funded_wei),
        "vested_wei": str(run.vested_wei),
        "credited_wei": str(run.credited_wei),
        "organizations": [
            {
                "party": party.number,
                "organization": party.organization,
                "wallet": party.wallet,
                "credited_wei": str(credited := run.credited_to_wei(party.number)),
                "claimed_wei": str(claimed := run.claimed_by_wei(party.number)),
                "claimable_wei": str(credited - claimed),
                "equal_wei": str(equal.get(party.number, 0)),
                "size_wei": None if size is None else str(size.get(party.number, 0)),
                "samples": samples.get(party.number),
                "rounds": [
                    {
                        "round": each.round,
                        "share_bips": each.share_bips,
                        "amount_wei": str(each.amount_wei),
                    }
                    for each in run.credits
                    if each.party == party.number
                ],
            }
            for party in run.agreement.parties
        ],
    }


def _led(ranking: tuple[str, ...], term: int) -> str | None:
    return ranking[term % len(ranking)] if ranking else None


def _samples(session: Session, run: RunHistory, now_s: int) -> dict[int, int]:
    found: dict[int, int] = {}
    for node in nodes_of(session, run.agreement, now_s):
        last = node["status"].get("last")
        said = last.get("samples") if isinstance(last, dict) else None
        if isinstance(said, int) and said > 0:
            found[node["party"]] = found.get(node["party"], 0) + said
    return found


def _baselines(
    run: RunHistory, samples: dict[int, int]
) -> tuple[dict[int, int], dict[int, int] | None]:
    equal: dict[int, int] = {}
    size: dict[int, int] | None = {}
    for row in run.rounds:
        parties = [party for party, _ in row.shares]
        if not row.credited_wei:
            continue
        for party in parties:
            equal[party] = equal.get(party, 0) + row.credited_wei // len(parties)
        if size is None or not all(party in samples for party in parties):
            size = None
            continue
        total = sum(samples[party] for party in parties)
        for party in parties:
            part = row.credited_wei * samples[party] // total
            size[party] = size.get(party, 0) + part
    return equal, size
