"""What a training framework offers to the callback: its model, and what a restart needs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Protocol

from node_agent.callbacks.measure import Measured
from node_agent.callbacks.resume import Epoch
from node_agent.parameters.format import ParameterFile, Written
from node_agent.parameters.schema import Schema


class Trainee(Protocol):
    """What a training framework has to offer: its model, seen as parameter files."""

    framework: str
    gradients: bool
    """Can it tell gradients? If not, contributions are measured by losses alone (2N of them)."""
    own_opinion: bool
    """Does it judge others by other data than those that losses are reported of?"""

    def attach(self) -> Schema:
        """Fix what travels, and start to count samples."""
        ...

    def write(self, path: Path, metadata: Mapping[str, str]) -> Written: ...

    def load(self, parameters: ParameterFile) -> None: ...

    def evaluate(
        self,
        base: Path,
        merged: Path,
        points: tuple[tuple[float, float], ...],
        gradient_path: Path | None,
    ) -> Measured: ...

    def use_agreed_validation(self, path: Path | None) -> None:
        """Measure on the run's agreed data, unless the script brought its own."""
        ...

    def take_batch_samples(self) -> int:
        """Return how many samples the model has seen since the last call."""
        ...

    def detach(self) -> None: ...


class Keeper(Protocol):
    """Keeps what a restarted script needs besides the model, to go on as it would have."""

    epoch: int

    def joined(self, folder: Path) -> None: ...

    def syncing(self, base: str) -> None: ...

    def loaded(self, base: str) -> None: ...

    def start_epoch(self, epoch: int) -> None: ...

    def batches(self, data: Epoch) -> Iterator[Any]: ...
