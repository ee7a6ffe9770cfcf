"""The contracts and a pure model do the same, whatever is tried, in whatever order."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from tests.chain.machine.reach import missing
from tests.chain.machine.sessions import DEEDS, SESSIONS, play

SESSIONS_NOW = int(os.environ.get("SWARM_FUZZ_EXAMPLES", SESSIONS))
DEEDS_NOW = int(os.environ.get("SWARM_FUZZ_STEPS", DEEDS))


@pytest.mark.slow
@pytest.mark.timeout(120 + 20 * SESSIONS_NOW)
def test_the_contracts_do_what_the_model_does(tmp_path: Path) -> None:
    started = time.monotonic()
    reached = play(tmp_path / "chain", SESSIONS_NOW, DEEDS_NOW)
    print(f"{reached.total()} times something in {time.monotonic() - started:.1f} s")
    for what, times in sorted(reached.items()):
        print(f"{times:6} {what}")
    assert not missing(reached), "random play has to reach all of it: make it more likely"
