from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    torch = sys.modules.get("torch")  # not every framework's tests pay for importing it
    if torch is None:
        yield
        return
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    torch.manual_seed(7)
    yield
    torch.set_num_threads(threads)


@pytest.fixture
def socket_path(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    # A Unix socket's path holds about 100 bytes: pytest's own folders may be deeper.
    with tempfile.TemporaryDirectory(prefix="swarm-") as folder:
        path = Path(folder, "agent.sock")
        monkeypatch.setenv("SWARM_AGENT_SOCKET", str(path))
        monkeypatch.delenv("SWARM_LOOPBACK", raising=False)
        yield path
