"""Pays small federations by every method, and says how much went to the wrong site.

    python -m scripts.bench_metering [--model softmax mlp cnn] [--seeds 5] [--quick]

Accuracy: 3 data sets × 5 splits × seeds, 6 sites, against the exact Shapley value of 64 federated
trainings. Attacks: 3 data sets × seeds, 5 sites alike, the first one attacks. The CNN sees pictures
only, so digits only. Tables go to stdout, progress to stderr, all figures and the truth of every
cell to build/bench/metering.json. The same command gives the same figures.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path

from threadpoolctl import threadpool_limits

from scripts.bench_metering import summary, tables
from scripts.bench_metering.accuracy import judge
from scripts.bench_metering.attacks import attack
from scripts.bench_metering.datasets import LOADERS, SPLITS, Cell, make_cell
from scripts.bench_metering.federation import L2, RATE, ROUNDS, STEPS
from scripts.bench_metering.models import MODELS, Model
from scripts.bench_metering.reports import cartel, own_report
from scripts.bench_metering.summary import Figures

REPORT = Path("build/bench/metering.json")
SITES = 6
ATTACKED_SITES = 5
CARTEL_SITES = (5, 8)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--model", nargs="+", choices=list(MODELS), default=list(MODELS))
    parser.add_argument("--seeds", type=int, default=5, help="cells of each kind (5)")
    parser.add_argument("--quick", action="store_true", help="one seed, without digits; no CNN")
    parser.add_argument("--out", type=Path, default=REPORT)
    given = parser.parse_args()
    datasets = [name for name in LOADERS if not (given.quick and name == "digits")]
    seeds = 1 if given.quick else given.seeds
    report: Figures = {
        "setting": {
            "datasets": datasets,
            "splits": SPLITS,
            "seeds": seeds,
            "sites": {"accuracy": SITES, "attacks": ATTACKED_SITES, "cartel": CARTEL_SITES},
            "training": {"rounds": ROUNDS, "steps": STEPS, "rate": RATE, "l2": L2},
        },
        "models": {},
    }
    with threadpool_limits(1):  # more threads lose on products this small
        for name in given.model:
            own = [dataset for dataset in datasets if name != "cnn" or dataset == "digits"]
            if own:
                report["models"][name] = _measure(name, own, seeds)
                _show(name, report["models"][name])
    given.out.parent.mkdir(parents=True, exist_ok=True)
    given.out.write_text(json.dumps(report, indent=1) + "\n")
    print(f"all figures: {given.out}", file=sys.stderr)


def _measure(name: str, datasets: list[str], seeds: int) -> Figures:
    judged = []
    for dataset in datasets:
        started = time.monotonic()
        for split in SPLITS:
            for seed in range(seeds):
                cell = make_cell(dataset, split, seed, SITES)
                judged.append(judge(cell, _model(name, cell)))
        _say(f"{name}: {dataset}, {len(SPLITS) * seeds} federations", started)
    attacks, own_reports = [], []
    cartels: dict[int, list[dict[str, float]]] = {sites: [] for sites in CARTEL_SITES}
    for dataset in datasets:
        started = time.monotonic()
        for seed in range(seeds):
            cell = make_cell(dataset, "iid", seed, ATTACKED_SITES)
            model = _model(name, cell)
            attacks.append(attack(cell, model))
            own_reports.append(own_report(cell, model))
            for sites, found in cartels.items():
                found.append(cartel(make_cell(dataset, "iid", seed, sites), model))
        _say(f"{name}: {dataset}, attacks", started)
    gains = {"one, by its own report, of 5 sites": own_reports}
    gains |= {f"two in a cartel, of {sites} sites": found for sites, found in cartels.items()}
    return {
        "methods": summary.of_methods(judged),
        "gaps": summary.of_gaps(judged),
        "attacks": summary.of_attacks(attacks),
        "gains": {who: summary.of_gains(found) for who, found in gains.items()},
        "truth": summary.of_truth(judged),
    }


def _model(name: str, cell: Cell) -> Model:
    model: Model = MODELS[name](cell.judges.x.shape[1], cell.classes)
    return model


def _show(name: str, figures: Figures) -> None:
    print(f"## {name}\n\nShare of the pot paid to the wrong site (median over cells):\n")
    print(tables.methods_table(figures["methods"]))
    if name == "softmax":
        print(f"\nGoals:\n\n{tables.goals_table(figures)}")
    print(f"\nEfficiency gap of aumann-shapley:\n\n{tables.gaps_table(figures['gaps'])}")
    print("\nAttacker's share of five, median over cells (worst):\n")
    print(tables.attacks_table(figures["attacks"]))
    print("\nWhat false reports gain, in shares of the pot, median over cells (worst):\n")
    print(f"{tables.gains_table(figures['gains'])}\n")
    sys.stdout.flush()


def _say(what: str, started: float) -> None:
    print(f"{what}: {time.monotonic() - started:.0f} s", file=sys.stderr)


if __name__ == "__main__":
    main()
