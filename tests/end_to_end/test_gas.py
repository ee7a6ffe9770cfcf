"""Chain overhead is one transaction a round, and the model's size never enters it."""

from __future__ import annotations

import statistics
from pathlib import Path

import numpy as np
import pytest

from contracts.events import Sealed, logs
from node_agent.parameters.format import write
from scripts.bench_round import run
from scripts.local_swarm import LocalSwarm

ROUNDS = 5
_FLOAT32_BYTES = 4


async def _gas_per_round(folder: Path, model_bytes: int) -> float:
    """Median gas of a seal; not of the first paid one nor the last, which write other accounts.

    Two organizations: each seal then carries exactly two signatures.
    """
    initial = folder.with_suffix(".safetensors")
    tensors = {"w": np.zeros(model_bytes // _FLOAT32_BYTES, np.float32)}
    write(initial, tensors, {"format": "swarm-1", "kind": "initial"})
    two = ("north", "south")
    async with LocalSwarm(folder, initial, organizations=two, max_rounds=ROUNDS) as swarm:
        await run(swarm, [])
        head = await swarm.chain.block_number()
        events = await logs(swarm.chain, swarm.contracts.deployment, 0, head)
        sealed = [event for event in events if isinstance(event, Sealed)]
        assert [event.round for event in sealed] == list(range(ROUNDS + 1))
        receipts = [
            await swarm.chain.request("eth_getTransactionReceipt", event.transaction)
            for event in sealed[2:-1]
        ]
    return statistics.median(int(receipt["gasUsed"], 16) for receipt in receipts)


@pytest.mark.slow
@pytest.mark.timeout(180)
async def test_a_round_costs_the_same_gas_for_1_kb_and_for_10_mb(tmp_path: Path) -> None:
    small = await _gas_per_round(tmp_path / "small", 1_000)
    large = await _gas_per_round(tmp_path / "large", 10_000_000)
    assert large == pytest.approx(small, rel=0.01)
