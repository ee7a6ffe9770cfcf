"""Runs and rounds as the API and the pages show them. Amounts are decimals in strings."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from sqlalchemy.orm import Session

from contracts.training import Ending
from marketplace.access import Caller
from marketplace.agreements.terms import METERING, name_of
from marketplace.nodes.registry import Registered, registrations
from marketplace.runs.attendance import REASONS, attendance
from marketplace.runs.leaders import Leaders
from marketplace.runs.notes import notes_of
from marketplace.runs.readmodel import RunFigures, run_seen, runs_seen
from marketplace.runs.rounds import Opening, openings_of, rounds_of
from marketplace.storage.models import Round
from marketplace.storage.pieces import ALL, Piece

ENDINGS = {
    Ending.TARGET_REACHED: "target reached",
    Ending.ROUNDS_DONE: "all rounds done",
    Ending.AGREEMENT_OVER: "agreement over",
    Ending.PATIENCE: "no more progress",
}


def list_runs(
    session: Session,
    caller: Caller,
    piece: Piece = ALL,
    agreement_id: str | None = None,
    among: Collection[str] | None = None,
) -> list[dict[str, Any]]:
    """The runs that the caller may see, newest first; their place is (`block`, `log_index`).

    Args:
        session: reads.
        caller: who asks.
        piece: what is wanted of the list.
        agreement_id: None for those of all agreements.
        among: ids; None for all.

    Raises:
        InvalidInput: the piece's place is none.
    """
    runs = runs_seen(session, caller, piece, agreement_id, among)
    notes = notes_of(session, [run.run_id for run in runs])
    return [summary(run) | {"note": notes[run.run_id]} for run in runs]


def show_run(session: Session, caller: Caller, run_id: str) -> dict[str, Any]:
    """One run. Raises NotFound."""
    run = run_seen(session, caller, run_id)
    leaders = Leaders.read(session, run, registrations(session, run.agreement.id))
    return show(session, run, leaders, openings_of(session, run))


def show(
    session: Session, run: RunFigures, leaders: Leaders, openings: Mapping[int, Opening]
) -> dict[str, Any]:
    """`show_run`, of a run at hand; with the opening of its open round."""
    opened = None if run.open_round is None else openings[run.open_round]
    return summary(run) | {
        "leader": None if opened is None else leaders.of(run.rounds, opened, term=0),
        "note": notes_of(session, [run.run_id])[run.run_id],
    }


def summary(run: RunFigures) -> dict[str, Any]:
    """A run on one line of a list."""
    last = run.sealed
    return {
        "id": run.run_id,
        "name": run.name,
        "generation": run.created.data["generation"],
        "agreement": run.agreement.id,
        "agreement_title": run.agreement.title,
        "state": _state(run),
        "ending": None if run.ending is None else ENDINGS[run.ending],
        "round": run.open_round,
        "sealed_rounds": run.rounds,
        "max_rounds": run.terms.max_rounds,
        "metering": name_of(METERING, run.terms.metering),
        "initial_loss_e9": run.initial_loss_e9,
        "target_loss_e9": run.terms.target_loss,
        "best_loss_e9": run.best_loss_e9,
        "last_loss_e9": last.last_loss if last else None,
        "last_metric_e9": last.last_metric if last else None,
        "merged_root": last.last_root if last else None,
        "gain_ppm": run.gain_ppm,
        "funded_wei": str(run.funded_wei),
        "vested_wei": str(run.vested_wei),
        "credited_wei": str(run.credited_wei),
        "block": run.created.block,
        "log_index": run.created.log_index,
        "transaction": run.created.transaction,
    }


def _state(run: RunFigures) -> str:
    if run.ending is None:
        return "open"
    return "finished" if run.is_settled else "settling"


def list_rounds(
    session: Session, caller: Caller, run_id: str, piece: Piece = ALL
) -> list[dict[str, Any]]:
    """The sealed rounds of a run, in order; their place is (`round`,).

    Raises:
        NotFound: no such run that the caller may see.
        InvalidInput: the piece's place is none.
    """
    run = run_seen(session, caller, run_id)
    nodes = registrations(session, run.agreement.id)
    rounds = rounds_of(session, run, piece)
    leaders = Leaders.read(session, run, nodes)
    return shown_rounds(run, nodes, leaders, rounds, openings_of(session, run, rounds))


def shown_rounds(
    run: RunFigures,
    registered: Sequence[Registered],
    leaders: Leaders,
    rounds: Sequence[Round],
    openings: Mapping[int, Opening],
) -> list[dict[str, Any]]:
    """Sealed rounds, with everybody who was enrolled in them."""
    organizations = {party.number: party.organization for party in run.agreement.parties}
    nodes = {each.registration: each for each in registered}
    by_name = sorted(registered, key=lambda node: node.spiffe_id)
    return [
        {
            "round": row.number,
            "term": row.term,
            "leader": leaders.of(row.number, openings[row.number], row.term),
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
            "attendance": attendance(openings[row.number], by_name, row),
            "credited_wei": str(row.credited_wei),
            "transaction": row.event.transaction,
            "block": row.event.block,
            "prev": row.event.data["prev"],
        }
        for row in rounds
    ]
