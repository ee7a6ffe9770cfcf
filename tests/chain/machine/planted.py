"""Breaks the contracts, and looks whether random play against the model notices.

    python -m tests.chain.machine.planted            # those of scripts/planted_bugs.py, and more
    python -m tests.chain.machine.planted quorum     # one, by name

The same sessions as in the test, on contracts compiled from a broken copy: what is compiled, and
what is deployed from there, lies in a temporary folder. Prints what gave each bug away. Exits with
1 if one survives. Needs forge on the PATH (node_modules/.bin).
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from scripts.planted_bugs import BUGS, ROOT, Bug, PlantingFailed, plant

TIMEOUT_S = 600
# In what the model says to the second, and the invariants only in general.
MORE_BUGS: tuple[Bug, ...] = (
    Bug(
        "replacement: a new wallet signs without waiting for its delay",
        "libraries/Records.sol",
        "return from != 0 && from <= block.timestamp ? seat.nextWallet : seat.wallet;",
        "return from != 0 ? seat.nextWallet : seat.wallet;",
    ),
    Bug(
        "withdraw: an agent that leaves in the middle has not failed",
        "Taskrunner.sol",
        "progress.count(seat, Status.Failed);",
        "",
    ),
)
NEEDED = ("metering", "bin", "node_modules", "tests/chain")


def copy_tree(folder: Path) -> None:
    """What the sessions import: `contracts` as a copy to be broken, the rest as it is."""
    shutil.copytree(
        ROOT / "contracts", folder / "contracts", ignore=shutil.ignore_patterns("__pycache__")
    )
    shutil.copy(ROOT / "foundry.toml", folder)
    (folder / "tests").mkdir()
    (folder / "tests/__init__.py").touch()
    for name in NEEDED:
        (folder / name).symlink_to(ROOT / name)


def run(folder: Path, *command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command,
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(folder)},
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
    )


def compile_artifacts(folder: Path) -> None:
    """Has forge compile the copy; what it gives takes the place of what was committed."""
    built = run(folder, "forge", "build", "contracts")
    if built.returncode:
        raise PlantingFailed(built.stdout[-1000:] + built.stderr[-1000:])
    for path in (folder / "contracts/artifacts").glob("*.json"):
        compiled = json.loads((folder / f"build/forge/{path.stem}.sol/{path.name}").read_text())
        artifact = json.loads(path.read_text())
        bytecode = compiled["bytecode"]["object"]
        path.write_text(json.dumps(artifact | {"bytecode": bytecode}))


def noticed(folder: Path) -> str | None:
    """What the sessions complain about; None if they see nothing."""
    played = run(folder, sys.executable, "-m", "tests.chain.machine.sessions")
    lines = played.stdout.splitlines()
    found = [line.removeprefix("differs: ") for line in lines if line.startswith("differs: ")]
    if played.returncode == 0:
        return None
    if not found:
        raise PlantingFailed(played.stderr[-2000:])
    return found[0]


def main(arguments: Sequence[str]) -> int:
    chosen: list[Bug] = [
        bug for bug in BUGS + MORE_BUGS if not arguments or bug.name.partition(":")[0] in arguments
    ]
    if not chosen:
        print("no bug of that name", file=sys.stderr)
        return 2
    survivors = 0
    with tempfile.TemporaryDirectory(prefix="planted-") as name:
        folder = Path(name)
        copy_tree(folder)
        for bug in chosen:
            started = time.monotonic()
            before = plant(bug, folder)
            compile_artifacts(folder)
            found = noticed(folder)
            (folder / "contracts" / bug.file).write_text(before)
            survivors += found is None
            print(f"{bug.name}  ({time.monotonic() - started:.0f} s)", flush=True)
            print(f"    {found or 'SURVIVED'}", flush=True)
    print(f"{len(chosen) - survivors} of {len(chosen)} planted bugs found")
    return 1 if survivors else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
