"""Times what a node computes in a round, beside the speed at which the machine copies memory.

    python -m scripts.bench_merge [--elements 25000000] [--repeat 5]

Models of one float32 tensor. `merge` reads all updates and writes and hashes the result, `check`
reads one update for numbers that are not finite, `dots` reads gradient, base and all updates,
`hash` is the BLAKE3 of one update. GB/s are bytes read and written per second; the best of all
repetitions counts. The table goes to stdout, the same numbers to build/bench/merge.json.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from pathlib import Path

import numpy as np

from node_agent.merge.mean import merge
from node_agent.parameters.check import check_update
from node_agent.parameters.format import ParameterFile, write
from node_agent.scoring import dots

REPORT = Path("build/bench/merge.json")
MODELS = (3, 8)


def best_s(repeat: int, work: Callable[[], object], prepare: Callable[[], object]) -> float:
    times = []
    for _ in range(repeat):
        prepare()
        started = time.perf_counter()
        work()
        times.append(time.perf_counter() - started)
    return min(times)


def copy_s(elements: int, repeat: int, threads: int) -> float:
    """Copy `elements` float32, in as many pieces as threads."""
    source, target = np.ones(elements, np.float32), np.zeros(elements, np.float32)
    cuts = np.linspace(0, elements, threads + 1, dtype=int)
    pieces = [slice(*cut) for cut in pairwise(cuts)]
    with ThreadPoolExecutor(threads) as pool:

        def work() -> None:
            list(pool.map(lambda piece: np.copyto(target[piece], source[piece]), pieces))

        return best_s(repeat, work, lambda: None)


def measure(elements: int, repeat: int, folder: Path) -> list[dict[str, object]]:
    rng = np.random.default_rng(0)
    files = []
    for number in range(max(MODELS)):
        path = folder / str(number)
        write(path, {"w": rng.standard_normal(elements, np.float32)}, {})
        files.append(ParameterFile.open(path))
    one_gb = elements * 4 / 1e9
    out = folder / "merged"
    rows: list[dict[str, object]] = []

    def row(
        what: str, models: int, threads: int, gigabytes: float, work: Callable[[], object]
    ) -> None:
        # Overwriting a file costs the time to free the old one: nodes never do it.
        seconds = best_s(repeat, work, lambda: out.unlink(missing_ok=True))
        rows.append(
            {
                "what": what,
                "models": models,
                "threads": threads,
                "ms": round(seconds * 1e3, 1),
                "gb_per_s": round(gigabytes / seconds, 1),
            }
        )

    for threads in (1, 2):
        seconds = copy_s(elements, repeat, threads)
        rows.append(
            {
                "what": "copy of memory",
                "models": 1,
                "threads": threads,
                "ms": round(seconds * 1e3, 1),
                "gb_per_s": round(2 * one_gb / seconds, 1),
            }
        )
    row("check", 1, 1, one_gb, lambda: check_update(files[0], files[0].schema, {}))
    row("hash", 1, os.cpu_count() or 1, one_gb, lambda: ParameterFile.open(files[0].path).root)
    for models in MODELS:
        some = files[:models]
        for name, weights in (("equal", [1] * models), ("weighted", list(range(1, models + 1)))):
            for threads in (1, 2):
                row(
                    f"merge, {name}",
                    models,
                    threads,
                    (models + 1) * one_gb,
                    lambda some=some, weights=weights, threads=threads: merge(
                        some, weights, out, {}, threads=threads
                    ),
                )
        row(
            "dots",
            models,
            1,
            (models + 2) * one_gb,
            lambda some=some: dots(files[-1], files[-2], some),
        )
    return rows


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--elements", type=int, default=25_000_000, help="float32 numbers a model")
    parser.add_argument("--repeat", type=int, default=5)
    options = parser.parse_args(arguments)
    REPORT.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=REPORT.parent) as folder:
        rows = measure(options.elements, options.repeat, Path(folder))
    print(f"{options.elements:,} float32 a model, NumPy {np.__version__}, {os.cpu_count()} CPUs")
    print(f"{'':<18}{'models':>7}{'threads':>9}{'ms':>9}{'GB/s':>8}")
    for entry in rows:
        print(
            f"{entry['what']:<18}{entry['models']:>7}{entry['threads']:>9}"
            f"{entry['ms']:>9}{entry['gb_per_s']:>8}"
        )
    REPORT.write_text(json.dumps({"elements": options.elements, "rows": rows}, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
