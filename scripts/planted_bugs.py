"""Plants one bug after the other into a copy of the contracts, and asks the invariants to find it.

    python -m scripts.planted_bugs            # all of them
    python -m scripts.planted_bugs quorum     # one, by name

Prints which promise each bug breaks. Exits with 1 if one survives.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
TESTS = ("Vm", "Neighbors", "Swarm", "Voting", "LocalSwarm", "Vaults", "Market", "Invariants.t")
TIMEOUT_S = 900
ANSI = re.compile(r"\x1b\[[0-9;]*m")
# What forge says of a promise that was not kept.
FAILURE = re.compile(r"\[FAIL: (.*?)\](?:\s|$)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Bug:
    """One small change of one contract."""

    name: str
    file: str
    right: str
    wrong: str


# The sessions against the Python model have to notice these too.
BUGS: tuple[Bug, ...] = (
    Bug(
        "quorum: half of the organizations suffices",
        "libraries/Rounds.sol",
        "uint256 majority = activeParties / 2 + 1;",
        "uint256 majority = activeParties / 2;",
    ),
    Bug(
        "settle: the pool does not learn what it owes",
        "Rewards.sol",
        "pool_.credited = uint120(before + credited);",
        "pool_.credited = uint120(before);",
    ),
    Bug(
        "claim: what is paid does not count up",
        "Rewards.sol",
        "_claimed[runId][party] = before + due;",
        "_claimed[runId][party] = before;",
    ),
    Bug(
        "roster: a row may name who is not counted",
        "libraries/Shares.sol",
        "if (party < least || !active.has(party) || total > ALL_BIPS)",
        "if (party < least || total > ALL_BIPS)",
    ),
    Bug(
        "slash: one proof works as often as it is shown",
        "Stakes.sol",
        "_proven[id] = true;",
        "",
    ),
    Bug(
        "refund: while the pool is open",
        "Rewards.sol",
        "if (!pool_.closed) revert Rewards_NotClosed(runId);",
        "",
    ),
    Bug(
        "late row: what an organization gives away changes its own share",
        "libraries/Opinions.sol",
        "numerator = (count - 1) * (lane & 0xffff) + left - ownLeft;",
        "numerator = (count - 1) * (lane & 0xffff) + left - Shares.ALL_BIPS;",
    ),
    Bug(
        "amendment: who becomes a party by it need not sign",
        "Consortium.sol",
        "missing = Bits.first(agreement_.parties.length)",
        "missing = Bits.first(amends ? record.parties : agreement_.parties.length)",
    ),
    Bug(
        "newcomer: who joined later is counted in earlier runs",
        "clerk/Participation.sol",
        "active = enrolled & Bits.first(standing.parties);",
        "active = enrolled;",
    ),
    Bug(
        "prerequisite: it is enough that its task exists",
        "Tasks.sol",
        "if (before == 0 || _tasks[before].doneAt == 0) revert",
        "if (before == 0) revert",
    ),
    Bug(
        "taskrunner: one peer fewer than needed completes a task",
        "libraries/Assignments.sol",
        "if (progress.completed >= progress.needed) return",
        "if (progress.completed + 1 >= progress.needed) return",
    ),
)


class PlantingFailed(RuntimeError):
    """A bug's text does not stand in the contracts exactly once, or the compiler refuses it."""


def copy_sources(folder: Path) -> None:
    """What the invariants are compiled from, and nothing else: compiling takes the time."""
    shutil.copytree(
        ROOT / "contracts",
        folder / "contracts",
        ignore=lambda where, names: [
            name for name in names if not (name.endswith(".sol") or (Path(where) / name).is_dir())
        ],
    )
    shutil.copytree(ROOT / "tests/forge/market", folder / "tests/forge/market")
    for name in TESTS:
        shutil.copy(ROOT / "tests/forge" / f"{name}.sol", folder / "tests/forge")
    shutil.copy(ROOT / "foundry.toml", folder)
    for name in ("bin", "node_modules"):
        (folder / name).symlink_to(ROOT / name)


def plant(bug: Bug, folder: Path) -> str:
    """Changes the copy, and returns the text that was there."""
    path = folder / "contracts" / bug.file
    before = path.read_text()
    if before.count(bug.right) != 1:
        raise PlantingFailed(f"{bug.file}: not there exactly once: {bug.right}")
    path.write_text(before.replace(bug.right, bug.wrong))
    return before


def first_failure(folder: Path) -> str | None:
    """What the invariants complain about; None if they hold."""
    command = ["forge", "test", "--match-contract", "InvariantsTest"]
    # Otherwise forge first tries the calls that found the last bug.
    shutil.rmtree(folder / "cache", ignore_errors=True)
    done = subprocess.run(  # forge stands in node_modules/.bin, which make puts into PATH
        command, cwd=folder, capture_output=True, text=True, timeout=TIMEOUT_S, check=False
    )
    output = ANSI.sub("", done.stdout + done.stderr)
    if done.returncode == 0:
        return None
    found = FAILURE.search(output)
    if found is None:
        raise PlantingFailed(output[-2000:])
    return " ".join(found.group(1).split())


def main(arguments: Sequence[str]) -> int:
    chosen = [bug for bug in BUGS if not arguments or bug.name.split(":")[0] in arguments]
    if not chosen:
        print("no bug of that name", file=sys.stderr)
        return 2
    survivors = 0
    with tempfile.TemporaryDirectory(prefix="planted-bugs-") as name:
        folder = Path(name)
        (folder / "tests/forge").mkdir(parents=True)
        copy_sources(folder)
        for bug in chosen:
            before = plant(bug, folder)
            found = first_failure(folder)
            (folder / "contracts" / bug.file).write_text(before)
            survivors += found is None
            print(f"{bug.name:<66} {found or 'SURVIVED'}", flush=True)
    print(f"{len(chosen) - survivors} of {len(chosen)} planted bugs found")
    return 1 if survivors else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
