"""A swarm to start, with the terms that a test asks for."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from node_agent.parameters.format import write
from scripts.local_swarm import LocalSwarm
from tests.engine.swarms import Start


@pytest.fixture
async def start(tmp_path: Path) -> AsyncIterator[Start]:
    async with AsyncExitStack() as stack:

        async def _start(**terms: Any) -> LocalSwarm:
            initial, agreed = tmp_path / "initial.safetensors", tmp_path / "agreed.safetensors"
            metadata = {"format": "swarm-1", "kind": "initial"}
            write(initial, {"w": np.zeros(2000, np.float32)}, metadata)
            write(agreed, {"inputs": np.ones(1, np.float32)}, {"format": "swarm-1"})
            return await stack.enter_async_context(
                LocalSwarm(tmp_path, initial, validation=agreed, **terms)
            )

        yield _start
