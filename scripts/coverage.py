"""Fails where the Solidity tests leave a branch or a line of a contract out: `make coverage`.

    python -m scripts.coverage              run forge, print what was left out
    python -m scripts.coverage lcov.info    of a report that forge has written before

The campaign and the gas tests are not played: what they reach by chance, or do not look at, counts
for nothing. Forge counts the two sides of each `if`, `try` and `require`, not those of `&&` and
`? :`.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

OF = "contracts/"
REPORT = Path("build/bench/coverage.info")
COMMAND = ("forge", "coverage", "--no-match-contract", "Invariants|Gas", "--report", "lcov")


@dataclass(slots=True)
class Source:
    """What of one source the tests went through; numbers of lines."""

    lines: int = 0
    branches: int = 0
    missed_lines: list[int] = field(default_factory=list)
    missed_branches: list[int] = field(default_factory=list)


def read(report: Iterable[str]) -> dict[str, Source]:
    """Return the contracts of an lcov report, by path.

    Lines of interest: `SF:path`, `DA:line,hits` and `BRDA:line,block,branch,hits or -`.
    """
    sources: dict[str, Source] = {}
    now = Source()
    for entry in report:
        kind, _, value = entry.strip().partition(":")
        if kind == "SF":
            now = sources.setdefault(value, Source())
        elif kind == "DA":
            line, hits = value.split(",")[:2]
            now.lines += 1
            if hits == "0":
                now.missed_lines.append(int(line))
        elif kind == "BRDA":
            line, _, _, hits = value.split(",")
            now.branches += 1
            if hits in ("-", "0"):
                now.missed_branches.append(int(line))
    return {path: source for path, source in sources.items() if path.startswith(OF)}


def left_out(sources: dict[str, Source]) -> list[str]:
    """Return a sentence for each branch and line that no test takes."""
    return [
        f"{path}:{line}: no test {does}"
        for path, source in sorted(sources.items())
        for lines, does in (
            (source.missed_branches, "takes one of its branches"),
            (source.missed_lines, "comes here"),
        )
        for line in lines
    ]


def main(arguments: Sequence[str] | None = None) -> int:
    """Print what was left out; return the exit status."""
    parser = argparse.ArgumentParser(description="Which branches of the contracts are not tested.")
    parser.add_argument("report", nargs="?", type=Path, help="an lcov report; forge runs without")
    path: Path | None = parser.parse_args(arguments).report
    if path is None:
        path = REPORT
        path.parent.mkdir(parents=True, exist_ok=True)
        print("forge tests the contracts as they are written, unoptimized ...", file=sys.stderr)
        done = subprocess.run(
            [*COMMAND, "--report-file", str(path)], capture_output=True, text=True, check=False
        )
        if done.returncode:
            print(done.stdout + done.stderr, file=sys.stderr)
            return 1
    sources = read(path.read_text().splitlines())
    branches = sum(source.branches for source in sources.values())
    lines = sum(source.lines for source in sources.values())
    if not branches:
        print(f"{path} tells of no contract", file=sys.stderr)
        return 1
    found = left_out(sources)
    said = f"All of {branches} branches and {lines} lines in {len(sources)} contracts are tested."
    print("\n".join(found) or said)
    return 1 if found else 0


if __name__ == "__main__":
    raise SystemExit(main())
