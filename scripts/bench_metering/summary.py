"""From results of cells to the figures that are reported and stored."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from metering.contribution import GAP_LIMIT
from scripts.bench_metering.accuracy import DEFAULT, Judged, Result
from scripts.bench_metering.datasets import SPLITS

Figures = dict[str, Any]


def of_methods(judged: Sequence[Judged]) -> Figures:
    """Return "method/evidence" to median misallocated share, overall and by split, and cost.

    "unpaid" counts the cells in which nobody was paid anything; they count as 0.5.
    """
    by_way: dict[str, list[tuple[str, Result]]] = {}
    for one in judged:
        for result in one.results:
            way = f"{result.method}/{result.evidence}"
            by_way.setdefault(way, []).append((one.cell.split, result))
    return {
        way: {
            "misallocated": {"all": _median(result.misallocated for _, result in results)}
            | {
                split: _median(result.misallocated for own, result in results if own == split)
                for split in SPLITS
            },
            "mean": round(float(np.mean([result.misallocated for _, result in results])), 4),
            "passes": round(float(np.mean([result.passes for _, result in results])), 2),
            "unpaid": sum(not any(result.amounts.values()) for _, result in results),
        }
        for way, results in by_way.items()
    }


def of_gaps(judged: Sequence[Judged]) -> Figures:
    """Return how exactly the default's scores add up to the change of the loss, over all rounds."""
    found = {}
    for evidence in ("common", "local"):
        gaps = [
            gap
            for one in judged
            for result in one.results
            if (result.method, result.evidence) == (DEFAULT, evidence)
            for gap in result.gaps
        ]
        found[evidence] = {
            "rounds": len(gaps),
            "median": float(np.median(gaps)),
            "percentile_99": float(np.percentile(gaps, 99)),
            "largest": float(np.max(gaps)),
            "rounds_above_limit": sum(gap > GAP_LIMIT for gap in gaps),
        }
    return found


def of_attacks(cells: Sequence[Mapping[str, Mapping[str, float]]]) -> Figures:
    """Return attack to way of paying to the median and the worst share over cells."""
    return {name: of_gains([cell[name] for cell in cells]) for name in cells[0]}


def of_gains(cells: Sequence[Mapping[str, float]]) -> Figures:
    """Return way of paying to the median and the worst over cells."""
    return {
        way: {
            "median": _median(cell[way] for cell in cells),
            "worst": round(max(cell[way] for cell in cells), 4),
        }
        for way in cells[0]
    }


def of_truth(judged: Sequence[Judged]) -> list[Figures]:
    """Return the exact Shapley value of every cell's trainings, in loss on its test set."""
    return [
        {
            "dataset": one.cell.dataset,
            "split": one.cell.split,
            "seed": one.cell.seed,
            "rows": [len(site) for site in one.cell.sites],
            "common": [round(float(value), 6) for value in one.truth_common],
            "local": [round(float(value), 6) for value in one.truth_local],
        }
        for one in judged
    ]


def _median(values: Iterable[float]) -> float:
    return round(float(np.median(list(values))), 4)
