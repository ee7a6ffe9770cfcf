"""The figures as tables, in Markdown, so that docs/metering.md shows what was printed."""

from __future__ import annotations

from collections.abc import Sequence

from scripts.bench_metering.datasets import SPLITS
from scripts.bench_metering.summary import Figures

TO_REACH: tuple[tuple[str, str, float], ...] = (
    ("aumann-shapley/common", "all", 0.065),
    ("aumann-shapley/common", "iid", 0.03),
    ("aumann-shapley/common", "size", 0.05),
    ("aumann-shapley/common", "dirichlet", 0.085),
    ("aumann-shapley/common", "flip", 0.18),
    ("aumann-shapley/common", "noise", 0.045),
    ("aumann-shapley/test", "all", 0.045),
    ("aumann-shapley/local", "all", 0.085),
    ("aumann-shapley/whole", "all", 0.074),
    ("aumann-shapley/pairwise", "all", 0.074),
    ("retrain-audit/test", "all", 0.045),
    ("retrain-audit/common", "all", 0.045),
)
"""Way of paying, split, and the median misallocated share that was set as the goal (softmax)."""

NOT_PAID = {
    "zero update": 0.01,
    "sign flip": 0.01,
    "label flip": 0.01,
    "noise": 0.01,
    "replay of the last merge": 0.07,
    "boost x5": 0.22,
    "trains on the agreed set, too": 0.30,
}
"""Attack, and the most that the attacker's median share of five should be."""

NOT_GAINED: tuple[tuple[str, str, float], ...] = (
    ("one, by its own report, of 5 sites", "common", 0.0101),
    ("one, by its own report, of 5 sites", "local", 0.0),
    ("two in a cartel, of 5 sites", "local, rest as measured", 0.08),
    ("two in a cartel, of 8 sites", "local, rest as measured", 0.08),
)
"""Who lies, way of paying, and the most that the median gain should be; the first is the tolerance
of 1 % of each round and a millionth of the pool."""

ATTACKED = (
    "aumann-shapley/common",
    "aumann-shapley/local",
    "aumann-shapley/whole",
    "aumann-shapley/pairwise",
    "leave-one-out/common",
    "cosine/common",
    "equal/common",
)


def methods_table(methods: Figures) -> str:
    head = ["method", "evidence", "all", *SPLITS, "mean", "unpaid", "passes a round"]
    rows = []
    for way, figures in methods.items():
        method, evidence = way.split("/")
        parts = [_share(figures["misallocated"][split]) for split in ("all", *SPLITS)]
        rest = [_share(figures["mean"]), str(figures["unpaid"]), f"{figures['passes']:g}"]
        rows.append([method, evidence, *parts, *rest])
    return _table(head, rows, left=2)


def goals_table(figures: Figures) -> str:
    """Set the softmax model's figures beside their goals; of attacks the medians."""
    found = [
        (f"misallocated, {split}", way, goal, figures["methods"][way]["misallocated"][split])
        for way, split, goal in TO_REACH
    ]
    found += [
        (f"share by {name}", way, goal, figures["attacks"][name][way]["median"])
        for name, goal in NOT_PAID.items()
        for way in ATTACKED[:2]
    ]
    found += [
        (f"gain of {who}", way, goal, figures["gains"][who][way]["median"])
        for who, way, goal in NOT_GAINED
    ]
    rows = [
        [what, way, f"{goal:.4g}", _share(measured), "yes" if measured <= goal else "no"]
        for what, way, goal, measured in found
    ]
    return _table(["what", "way of paying", "at most", "measured", "reached"], rows, left=2)


def gaps_table(gaps: Figures) -> str:
    head = ["evidence", "rounds", "median gap", "99th percentile", "largest", "above 1 %"]
    rows = [
        [
            evidence,
            str(own["rounds"]),
            *(f"{own[key]:.1e}" for key in ("median", "percentile_99", "largest")),
            str(own["rounds_above_limit"]),
        ]
        for evidence, own in gaps.items()
    ]
    return _table(head, rows, left=1)


def attacks_table(attacks: Figures) -> str:
    rows = [[name, *(_spread(ways[way]) for way in ATTACKED)] for name, ways in attacks.items()]
    return _table(["attack", *ATTACKED], rows, left=1)


def gains_table(gains: Figures) -> str:
    rows = [
        [name, way, _spread(spread)] for name, ways in gains.items() for way, spread in ways.items()
    ]
    return _table(["who lies", "way of paying", "gain"], rows, left=2)


def _share(value: float) -> str:
    return f"{value:.3f}"


def _spread(spread: dict[str, float]) -> str:
    return f"{_share(spread['median'])} ({_share(spread['worst'])})"


def _table(head: Sequence[str], rows: Sequence[Sequence[str]], left: int) -> str:
    widths = [max(len(line[column]) for line in (head, *rows)) for column in range(len(head))]

    def line(cells: Sequence[str]) -> str:
        padded = [
            cell.ljust(width) if column < left else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(cells, widths, strict=True))
        ]
        return f"| {' | '.join(padded)} |"

    rule = [
        "-" * width if column < left else "-" * (width - 1) + ":"
        for column, width in enumerate(widths)
    ]
    return "\n".join([line(head), line(rule), *map(line, rows)])
