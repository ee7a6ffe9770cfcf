"""Runs side by side: results, and whatever differs in their terms and hyper-parameters."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy.orm import Session

from contracts.messages import to_json
from marketplace.access import Caller
from marketplace.errors import InvalidInput
from marketplace.runs import views
from marketplace.runs.notes import notes_of
from marketplace.runs.readmodel import RunFigures, run_seen
from marketplace.runs.rounds import losses

MOST = 8
_HIGHER_IS_BETTER = 2  # Terms.stopping
_METRIC = (1, 2)


def compare(session: Session, caller: Caller, run_ids: Sequence[str]) -> dict[str, Any]:
    """Two to eight runs.

    Returns:
        `runs` with their losses, chosen evenly where there are many; `differences`, rows of a name
        and one value a run; `best`, the id of the best run, or None where runs do not watch the
        same quantity.

    Raises:
        InvalidInput: fewer than two, or more than eight.
        NotFound: one that the caller does not see.
    """
    ids = list(dict.fromkeys(run_ids))
    if not 2 <= len(ids) <= MOST:
        raise InvalidInput(f"{len(ids)} runs cannot be compared", hint=f"choose two to {MOST} runs")
    runs = [run_seen(session, caller, each) for each in ids]
    notes, curves = notes_of(session, ids), losses(session, runs)
    return {
        "runs": [
            {
                **views.summary(run),
                "note": notes[run.run_id],
                "losses_e9": [loss for _, loss in curves[run.run_id]],
                "loss_rounds": [number for number, _ in curves[run.run_id]],
            }
            for run in runs
        ],
        "differences": [
            *_differing([to_json(run.terms) for run in runs]),
            *_differing([notes[each]["hyperparameters"] for each in ids]),
        ],
        "best": best(runs),
    }


def best(runs: Sequence[RunFigures]) -> str | None:
    """The run with the best value of what all of them watch."""
    rules = {run.terms.stopping for run in runs}
    if len(rules) != 1:
        return None
    (rule,) = rules
    valued = [(value, run.run_id) for run in runs if (value := _value(run)) is not None]
    if not valued:
        return None
    return max(valued)[1] if rule == _HIGHER_IS_BETTER else min(valued)[1]


def _value(run: RunFigures) -> int | None:
    if run.terms.stopping not in _METRIC:
        return run.best_loss_e9
    if run.sealed is None:
        return None
    higher = run.terms.stopping == _HIGHER_IS_BETTER
    return run.sealed.highest_metric if higher else run.sealed.lowest_metric


def _differing(values: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    names = dict.fromkeys(name for each in values for name in each)
    rows = [{"name": name, "values": [each.get(name) for each in values]} for name in names]
    return [row for row in rows if any(value != row["values"][0] for value in row["values"])]
