"""The contracts and a pure model do the same, whatever is tried, in whatever order."""

from __future__ import annotations

import asyncio
import os
import time
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from tests.chain.machine.machine import Machine
from tests.chain.machine.theater import open_theater
from tests.chain.machine.tour import ACTIONS, tour

EXAMPLES = int(os.environ.get("SWARM_FUZZ_EXAMPLES", "16"))
STEPS = int(os.environ.get("SWARM_FUZZ_STEPS", "30"))


@pytest.mark.slow
@pytest.mark.timeout(120 + 20 * EXAMPLES)
def test_the_contracts_do_what_the_model_does(tmp_path: Path) -> None:
    Machine.reached.clear()
    with asyncio.Runner() as runner:
        theater = open_theater(tmp_path / "chain")
        Machine.runner, Machine.theater = runner, runner.run(theater.__aenter__())
        started = time.monotonic()
        try:
            runner.run(tour(Machine.theater, Machine.reached))
            run_state_machine_as_test(
                Machine,
                settings=settings(
                    max_examples=EXAMPLES,
                    stateful_step_count=STEPS,
                    derandomize=True,
                    database=None,
                    deadline=None,
                    suppress_health_check=list(HealthCheck),
                    phases=(Phase.generate,),
                ),
            )
        finally:
            runner.run(theater.__aexit__(None, None, None))
    steps, elapsed_s = Machine.reached.total(), time.monotonic() - started
    print(f"{steps} steps in {elapsed_s:.1f} s")
    for what, times in sorted(Machine.reached.items()):
        print(f"{times:6} {what}")
    assert Machine.reached.keys() >= ACTIONS, ACTIONS - Machine.reached.keys()
