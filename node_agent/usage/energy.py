"""Energy of the machine, where it lets itself be read: RAPL counters of Intel and AMD processors.

They count for the whole machine, whoever used it, and not for its graphics cards. Linux shows them
to root only, unless the operator decides otherwise (`chmod a+r` on the `energy_uj` files).
"""

from __future__ import annotations

import asyncio
import logging
from contextlib import suppress
from pathlib import Path

log = logging.getLogger(__name__)

POWERCAP = Path("/sys/class/powercap")
# The counters overflow, some after 65 kJ, and do not say how often: at 1 kW once a minute.
_READ_EVERY_S = 30.0


class Energy:
    """Joules since this object was made, of all processor packages and their memory."""

    def __init__(self, powercap: Path = POWERCAP) -> None:
        self._uj = 0
        self._zones: dict[Path, tuple[int, int]] = {}
        """By folder: the counter when last read, and how far it counts, in microjoules."""
        # `intel-rapl-mmio:…` and `psys` count what the packages have counted already, as do the
        # zones within a package other than its memory. AMD's zones have Intel's names.
        for folder in sorted(powercap.glob("intel-rapl:*")):
            with suppress(OSError, ValueError):
                name = (folder / "name").read_text().strip()
                if name.startswith("package") or name == "dram":
                    limit_uj = _number(folder / "max_energy_range_uj")
                    self._zones[folder] = _number(folder / "energy_uj"), limit_uj

    @property
    def readable(self) -> bool:
        return bool(self._zones)

    def read_j(self) -> float | None:
        """Joules so far; None where there is nothing to read (any more)."""
        try:
            for folder, (before_uj, limit_uj) in self._zones.items():
                now_uj = _number(folder / "energy_uj")
                self._uj += now_uj - before_uj + (limit_uj if now_uj < before_uj else 0)
                self._zones[folder] = now_uj, limit_uj
        except (OSError, ValueError) as error:
            log.warning("Energy cannot be read any more: %s", error)
            self._zones.clear()
        return self._uj / 1e6 if self._zones else None

    async def keep_reading(self) -> None:
        """Read often enough to miss no overflow, until cancelled or there is nothing to read."""
        while self.readable:
            await asyncio.sleep(_READ_EVERY_S)
            self.read_j()


def _number(path: Path) -> int:
    return int(path.read_text())
