"""How much memory the processes take: proportional set sizes, sampled."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Mapping
from pathlib import Path

_EVERY_S = 2.0  # a look at a process with PyTorch costs the kernel about 10 ms
_MB = 1_000_000


class MemoryWatch:
    """Remembers the highest proportional set size of each process, and of all at one time."""

    def __init__(self, pids: Callable[[], Mapping[str, int]]) -> None:
        self._pids = pids
        self._peaks: dict[str, int] = {}
        self._peak_of_sum = 0

    async def watch(self) -> None:
        """Sample until cancelled."""
        while True:
            await asyncio.to_thread(self._sample)
            await asyncio.sleep(_EVERY_S)  # sizes change without telling anybody

    def peaks_mb(self) -> dict[str, float]:
        """Process to MB (10^6 bytes), and the highest `sum` seen at one time."""
        named = {name: size / _MB for name, size in sorted(self._peaks.items())}
        return {
            name: round(size, 1)
            for name, size in (named | {"sum": self._peak_of_sum / _MB}).items()
        }

    def _sample(self) -> None:
        sizes = {
            name: pss_bytes(pid)
            for name, pid in ({"demo": os.getpid()} | dict(self._pids())).items()
        }
        for name, size in sizes.items():
            self._peaks[name] = max(size, self._peaks.get(name, 0))
        self._peak_of_sum = max(self._peak_of_sum, sum(sizes.values()))


def pss_bytes(pid: int) -> int:
    """The process's memory, what it shares divided by those who share it; 0 when it is gone."""
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith("Pss:")), 0)
