"""A stand-in for the node agent that merges, whose rounds the death of the script does not end."""

from __future__ import annotations

import os
import signal
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from node_agent.callbacks.arrays import write_arrays
from node_agent.parameters.format import ParameterFile
from tests.callbacks.stand_in import WELCOME, Line, load, stop


class MergingAgent:
    """Each merge pulls the floats a bit towards zero, as if another site had something to say.

    Args:
        folder: for its files, and the script's.
        rounds: how many there are.
        gradients: ask for them when a merge is measured?
        kills_after_round: kill the script when its update is sealed, and nothing was loaded yet.
    """

    def __init__(
        self, folder: Path, rounds: int, *, gradients: bool, kills_after_round: int = 0
    ) -> None:
        folder.mkdir(parents=True)
        self.round = 0
        self._folder, self._rounds, self._gradients = folder, rounds, gradients
        self._kills_after = kills_after_round

    @property
    def base(self) -> Path:
        return self._folder / f"base-{self.round}"

    def session(self, line: Line) -> None:
        try:
            self._session(line)
        except (ConnectionError, BrokenPipeError):
            return  # it was killed

    def _session(self, line: Line) -> None:
        hello = line.hear()
        terms = WELCOME["terms"] | {"syncFrequency": 5}
        line.tell(WELCOME | {"terms": terms, "directory": str(self._folder)})
        while self.round < self._rounds:
            asked = line.hear()
            if asked["op"] == "begin" and not self.base.exists():
                line.ask({"do": "write", "path": str(self.base), "metadata": {}})
            if asked["op"] == "sync":
                assert asked["base"] == self.base.name
                self._merge(line, hello["pid"])
            if self.round < self._rounds:
                line.ask(load(self.base, self.round, self.base.name))
        line.ask(stop(self.base, self.round))

    def _merge(self, line: Line, pid: int) -> None:
        update, merged = self._folder / "update", self._folder / f"base-{self.round + 1}"
        line.ask({"do": "write", "path": str(update), "metadata": {}})
        tensors = {n: np.array(a) for n, a in ParameterFile.open(update).tensors().items()}
        write_arrays(merged, {n: _pulled(a) for n, a in tensors.items()}, {})
        gradient = str(self._folder / "gradient") if self._gradients else None
        measured: Mapping[str, Any] = line.ask(
            {
                "do": "evaluate",
                "base": str(self.base),
                "merged": str(merged),
                "points": [[0.5, 1.0]],
                "gradient": gradient,
            }
        )
        assert measured["op"] == "evaluated"
        self.round += 1
        if self.round == self._kills_after:
            os.kill(pid, signal.SIGKILL)
            raise ConnectionError


def _pulled(array: np.ndarray) -> np.ndarray:
    floats = np.issubdtype(array.dtype, np.floating)
    return (array * array.dtype.type(0.9375)) if floats else array
