"""Times what a node computes in a round, beside the speed at which the machine copies memory.

    python -m scripts.bench_merge [--elements 25000000] [--repeat 5]

Models of one float32 tensor. The merge rules open, read and merge all updates (and the base, where
the rule needs it), and write and hash the result; `check` reads one update for numbers that are not
finite, `dots` reads gradient, base and all updates, `hash` is the BLAKE3 of one update. GB/s count
every file read and written once, though some rules read twice. The best of all repetitions counts;
`cpu ms` is the least processor time, which neighbours on the machine disturb less. The table goes
to stdout, the same numbers to build/bench/merge.json.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from itertools import pairwise
from os import cpu_count
from pathlib import Path

import numpy as np

from node_agent.merge.registry import merge
from node_agent.merge.rules import BUILT_IN, Rule
from node_agent.parameters.check import check_update
from node_agent.parameters.format import ParameterFile, write
from node_agent.scoring import dots

REPORT = Path("build/bench/merge.json")
MODELS = 8
GOALS_MS = {"mean": 250, "coordinate-median": 600, "geometric-median": 800}
UNEQUAL = ("mean", "coordinate-median", "trimmed-mean", "geometric-median")
UNEQUAL_WEIGHTS = (3, 1, 4, 1, 5, 9, 2, 6)
IN_TWO_THREADS = ("mean", "coordinate-median", "geometric-median", "norm-clipped-mean")


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table; the goal is for one core, 8 × 25M float32, equal weights."""

    what: str
    models: int
    threads: int
    ms: float
    cpu_ms: float
    gb_per_s: float
    goal_ms: int | None = None


def best(
    what: str,
    models: int,
    threads: int,
    gigabytes: float,
    work: Callable[[], object],
    repeat: int,
    prepare: Callable[[], object] = lambda: None,
    goal_ms: int | None = None,
) -> Row:
    """Do the work `repeat` times; `gigabytes` are what it reads and writes."""
    wall_s, cpu_s = [], []
    for _ in range(repeat):
        prepare()
        started, cpu = time.perf_counter(), time.process_time()
        work()
        wall_s.append(time.perf_counter() - started)
        cpu_s.append(time.process_time() - cpu)
    seconds = min(wall_s)
    return Row(
        what,
        models,
        threads,
        round(seconds * 1e3, 1),
        round(min(cpu_s) * 1e3, 1),
        round(gigabytes / seconds, 1),
        goal_ms,
    )


def copy(elements: int, repeat: int, threads: int) -> Row:
    """Copy `elements` float32, in as many pieces as threads."""
    source, target = np.ones(elements, np.float32), np.zeros(elements, np.float32)
    cuts = np.linspace(0, elements, threads + 1, dtype=int)
    pieces = [slice(*cut) for cut in pairwise(cuts)]
    with ThreadPoolExecutor(threads) as pool:

        def work() -> None:
            list(pool.map(lambda piece: np.copyto(target[piece], source[piece]), pieces))

        return best("copy of memory", 1, threads, 2 * elements * 4 / 1e9, work, repeat)


def make_models(elements: int, folder: Path) -> tuple[Path, list[Path]]:
    rng = np.random.default_rng(0)
    start = rng.standard_normal(elements, np.float32)
    write(folder / "base", {"w": start}, {})
    updates = [folder / str(number) for number in range(MODELS)]
    for number, path in enumerate(updates):
        moved = rng.standard_normal(elements, np.float32)
        moved *= np.float32(0.1)
        moved += start
        write(path, {"w": moved}, {"node": str(number)})
    return folder / "base", updates


def measure(elements: int, repeat: int, folder: Path) -> list[Row]:
    base, updates = make_models(elements, folder)
    one_gb, out, state = elements * 4 / 1e9, folder / "merged", folder / "state"

    def clear() -> None:
        # Overwriting a file costs the time to free the old one: nodes never do it.
        out.unlink(missing_ok=True)
        state.unlink(missing_ok=True)

    def row(rule: Rule, weights: Sequence[int], threads: int) -> Row:
        equal = len(set(weights)) == 1

        def work() -> None:
            files = [ParameterFile.open(path) for path in updates]
            start = ParameterFile.open(base)
            metadata = {"run": "0x01"}
            merge(
                rule.name, files, weights, out, metadata,
                base=start, state_path=state, threads=threads,
            )  # fmt: skip

        states = len(rule.state_schema(ParameterFile.open(base).schema)) if rule.state_schema else 0
        gigabytes = (MODELS + rule.needs_base + 1 + states) * one_gb
        what = rule.name if equal else f"{rule.name}, weighted"
        goal_ms = GOALS_MS.get(rule.name) if equal and threads == 1 else None
        return best(what, MODELS, threads, gigabytes, work, repeat, clear, goal_ms)

    rows = [copy(elements, repeat, threads) for threads in (1, 2)]
    file, start = ParameterFile.open(updates[0]), ParameterFile.open(base)
    files = [ParameterFile.open(path) for path in updates]
    rows += [
        best("check", 1, 1, one_gb, lambda: check_update(file, file.schema, file.metadata), repeat),
        best(
            "hash", 1, cpu_count() or 1, one_gb, lambda: ParameterFile.open(file.path).root, repeat
        ),
        best("dots", MODELS, 1, (MODELS + 2) * one_gb, lambda: dots(file, start, files), repeat),
    ]
    rows += [row(rule, [1] * MODELS, 1) for rule in BUILT_IN]
    rows += [row(rule, UNEQUAL_WEIGHTS, 1) for rule in BUILT_IN if rule.name in UNEQUAL]
    rows += [row(rule, [1] * MODELS, 2) for rule in BUILT_IN if rule.name in IN_TWO_THREADS]
    return rows


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--elements", type=int, default=25_000_000, help="float32 numbers a model")
    parser.add_argument("--repeat", type=int, default=5)
    options = parser.parse_args(arguments)
    REPORT.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=REPORT.parent) as folder:
        rows = measure(options.elements, options.repeat, Path(folder))
    print(f"{options.elements:,} float32 a model, NumPy {np.__version__}, {cpu_count()} CPUs")
    print(f"{'':<28}{'models':>7}{'threads':>9}{'ms':>9}{'cpu ms':>9}{'GB/s':>8}{'goal ms':>9}")
    for entry in rows:
        print(
            f"{entry.what:<28}{entry.models:>7}{entry.threads:>9}{entry.ms:>9}"
            f"{entry.cpu_ms:>9}{entry.gb_per_s:>8}{entry.goal_ms or '':>9}"
        )
    report = {"elements": options.elements, "rows": [asdict(entry) for entry in rows]}
    REPORT.write_text(json.dumps(report, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
