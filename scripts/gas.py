"""What the contracts' transactions cost, as sentences: `make gas`.

    python -m scripts.gas            print the figures, and write build/bench/gas.json
    python -m scripts.gas --check    fail where one is no longer what contracts/gas.txt says
    python -m scripts.gas --renew    write contracts/gas.txt

The figures are those of whole transactions, calldata and the 21,000 included, with cold storage, as
tests/forge/Gas.t.sol and MoneyGas.t.sol measure them (which also hold the limits); forge runs once.
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

SNAPSHOT = Path("contracts/gas.txt")
REPORT = Path("build/bench/gas.json")

# Zero bytes of calldata are cheaper, and signatures have other ones whenever a message changes.
TOLERANCE = 0.002

_ORGANIZATIONS = (3, 10, 50)


@dataclass(frozen=True, slots=True)
class Figure:
    """One transaction: its key in the report, what forge calls it, and what a reader does."""

    key: str
    logged: str
    what: str

    def sentence(self, gas: int) -> str:
        """Return the line of the snapshot."""
        return f"{self.what} costs {gas:,} gas."


class GasError(Exception):
    """Forge failed, or measured something else than is asked for."""


def _seals() -> list[Figure]:
    figures = []
    for n in _ORGANIZATIONS:
        of = f"{n} organizations"
        common, local = (
            "Sealing and paying a round",
            "Sealing a round of local metering and paying the last",
        )
        for suffix, who, signed in (
            ("", "majority signs", "a majority signs"),
            ("_all", "all sign", "all sign"),
        ):
            figures += [
                Figure(
                    f"seal{suffix}_{n}",
                    f"seal, {who}, first pay, {of}",
                    f"{common} of {of}, {signed},",
                ),
                Figure(
                    f"seal_local{suffix}_{n}",
                    f"sealLocal, {who}, {of}",
                    f"{local}, {of}, {signed},",
                ),
            ]
    return figures


FIGURES = (
    Figure(
        "sign_agreement", "sign, the first, 3 organizations", "Signing an agreement of 3 on chain"
    ),
    Figure(
        "activate",
        "activate, 3 organizations",
        "Bringing an agreement of 3 into force in one transaction",
    ),
    Figure("enroll", "enroll, 3 organizations", "Enrolling a node"),
    Figure("retire", "retire, 3 organizations", "Retiring a node"),
    Figure("create_run", "createRun, 3 organizations", "Creating the run of an agreement of 3"),
    Figure("reopen", "reopen, 3 organizations", "Opening a stalled round again"),
    *_seals(),
    Figure(
        "add_rows_10", "addRows, one, 10 organizations", "Adding one late row, of 10 organizations,"
    ),
    Figure("claim", "claim, 3 organizations", "Claiming what a run owes"),
    Figure("claim_ten_runs", "claim of ten runs", "Claiming what ten runs owe, at once,"),
    Figure("deposit", "deposit", "Adding to a stake"),
    Figure("slash", "slash by two updates", "Slashing by two updates"),
    Figure("slash_attestations", "slash by two attestations", "Slashing by two attestations"),
    Figure("buy", "buy", "Buying a license"),
)


def logged(report: str) -> dict[str, int]:
    """Return what forge's tests logged, from the JSON that forge wrote.

    Raises:
        GasError: a test failed.
    """
    gas: dict[str, int] = {}
    for suite in json.loads(report).values():
        for test, result in suite["test_results"].items():
            if result["status"] != "Success":
                raise GasError(f"{test}: {result['reason'] or result['status']}")
            for line in result["decoded_logs"]:
                if match := re.fullmatch(r"(.+): (\d+)", line):
                    gas[match[1]] = int(match[2])
    return gas


def measure() -> dict[str, int]:
    """Return the gas of every figure, by key; runs forge.

    Raises:
        GasError: forge failed, a test failed, or one measured nothing.
    """
    command = ["forge", "test", "--match-contract", "Gas", "-vv", "--json"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if not done.stdout.startswith("{"):
        raise GasError(done.stderr.strip() or done.stdout.strip())
    gas = logged(done.stdout)
    if missing := [figure.logged for figure in FIGURES if figure.logged not in gas]:
        raise GasError(f"nobody measured: {'; '.join(missing)}")
    return {figure.key: gas[figure.logged] for figure in FIGURES}


def drifts(gas: dict[str, int], snapshot: str) -> list[str]:
    """Return what is no longer as the snapshot says, one sentence each."""
    kept = {
        match[1]: int(match[2].replace(",", ""))
        for match in re.finditer(r"^(.+) costs ([\d,]+) gas\.$", snapshot, flags=re.MULTILINE)
    }
    found = []
    for figure in FIGURES:
        before, now = kept.pop(figure.what, None), gas[figure.key]
        if before is None:
            found.append(f"New: {figure.sentence(now)}")
        elif abs(now - before) > TOLERANCE * before:
            found.append(f"{figure.sentence(now)[:-1]}, no longer {before:,} ({now - before:+,}).")
    return [*found, *(f"Nobody measures any more: {what}" for what in kept)]


def main(arguments: Sequence[str] | None = None) -> int:
    """Print, check or renew; return the exit status."""
    parser = argparse.ArgumentParser(description="What the contracts' transactions cost.")
    how = parser.add_mutually_exclusive_group()
    how.add_argument("--check", action="store_true", help=f"compare with {SNAPSHOT}")
    how.add_argument("--renew", action="store_true", help=f"write {SNAPSHOT}")
    chosen = parser.parse_args(arguments)
    try:
        gas = measure()
    except GasError as error:
        print(error, file=sys.stderr)
        return 1

    REPORT.parent.mkdir(parents=True, exist_ok=True)
    REPORT.write_text(json.dumps(gas, indent=2) + "\n")
    sentences = "".join(f"{figure.sentence(gas[figure.key])}\n" for figure in FIGURES)
    if chosen.renew:
        SNAPSHOT.write_text(sentences)
    if not chosen.check:
        print(sentences, end="")
        return 0
    found = drifts(gas, SNAPSHOT.read_text() if SNAPSHOT.exists() else "")
    print("\n".join(found) or f"{len(gas)} figures are as {SNAPSHOT} says.")
    if found:
        print("hint: if this is meant, renew them with `make gas RENEW=1`", file=sys.stderr)
    return 1 if found else 0


if __name__ == "__main__":
    raise SystemExit(main())
