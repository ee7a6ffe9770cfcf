"""A training process without a training framework: every site walks towards its own optimum.

The loss of the agreed data is L(W) = ½ · mean((W − c)²) with c = 1; a site's own data may have
another c (`--held-out`), and those by which it judges others a third (`--opinion`). A site trains
towards 1 + its offset, so contributions differ and are known. For benchmarks and tests of
everything around training; `--idle` neither trains nor measures: it sends what it loaded, and
reports loss 1.

    SWARM_AGENT_SOCKET=… python -m scripts.quadratic_trainer --offset 0.2
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from node_agent.callbacks.base import SwarmCallback
from node_agent.callbacks.errors import SwarmRefused
from node_agent.callbacks.measure import Measured
from node_agent.callbacks.settings import checked_settings
from node_agent.parameters.format import ParameterFile, Written, write
from node_agent.parameters.schema import Schema

OPTIMUM = 1.0
RATE = 0.05
SAMPLES = 128  # that a batch claims to hold


class Quadratic:
    """The model: whatever float32 tensors the initial file has."""

    framework = "numpy"
    gradients = True

    def __init__(
        self,
        initial: Path,
        offset: float,
        *,
        idle: bool,
        held_out: float | None = OPTIMUM,
        opinion: float | None = None,
        evaluate_s: float = 0.0,
    ) -> None:
        self._initial = ParameterFile.open(initial)
        self._target = np.float32(OPTIMUM + offset)
        self._idle = idle
        self._held_out = held_out
        self._opinion = opinion
        self.own_opinion = opinion is not None
        self._evaluate_s, self._evaluations = evaluate_s, 0
        self._tensors = dict(self._initial.tensors())

    def train(self) -> None:
        """One step: the fraction RATE of the way to this site's own optimum."""
        if not self._idle:
            for name, values in self._tensors.items():
                self._tensors[name] = values + np.float32(RATE) * (self._target - values)

    def attach(self) -> Schema:
        return self._initial.schema

    def detach(self) -> None:
        """Nothing is held."""

    def use_agreed_validation(self, path: Path | None) -> None:
        """The loss is a formula: there is no data to read."""
        if self._held_out is None:
            raise SwarmRefused("this site holds nothing out", hint="leave out --no-data")

    def take_batch_samples(self) -> int:
        return SAMPLES

    def write(self, path: Path, metadata: Mapping[str, str]) -> Written:
        return write(path, self._tensors, metadata)

    def load(self, parameters: ParameterFile) -> None:
        self._tensors = dict(parameters.tensors())

    def evaluate(
        self,
        base: Path,
        merged: Path,
        points: tuple[tuple[float, float], ...],
        gradient_path: Path | None,
    ) -> Measured:
        if self._idle:
            return Measured(1.0, 1.0, 0.0)
        self._evaluations += 1
        if self._evaluations % 2 == 0:
            time.sleep(self._evaluate_s)  # stands for data that are not there
        held_out = self._held_out
        assert held_out is not None, "who has no data is not asked"
        best = held_out if self._opinion is None else self._opinion
        start, end = ParameterFile.open(base).tensors(), ParameterFile.open(merged).tensors()
        size = sum(values.size for values in start.values())
        if gradient_path is not None:
            gradient = {
                name: sum(
                    np.float32(q) * ((values + np.float32(s) * (end[name] - values)) - best)
                    for s, q in points
                )
                / np.float32(size)
                for name, values in start.items()
            }
            write(gradient_path, gradient, {"format": "swarm-1", "kind": "gradient"})
        before, after = (_loss(each, held_out) for each in (start, end))
        row = None if self._opinion is None else (_loss(start, best), _loss(end, best))
        return Measured(before, after, -after, row)


def _loss(tensors: Mapping[str, np.ndarray], best: float) -> float:
    squares = sum(
        float(np.square(values - best, dtype=np.float64).sum()) for values in tensors.values()
    )
    return 0.5 * squares / sum(values.size for values in tensors.values())


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m scripts.quadratic_trainer")
    parser.add_argument("--initial", type=Path, default=os.environ.get("INITIAL"))
    parser.add_argument("--offset", type=float, default=0.0, help="of this site's optimum")
    parser.add_argument(
        "--held-out", type=float, default=0.0, help="offset of this site's own data"
    )
    parser.add_argument("--opinion", type=float, help="offset of what others are judged by")
    parser.add_argument("--no-data", action="store_true", help="hold nothing out: abstain")
    parser.add_argument("--idle", action="store_true", help="send what was loaded")
    parser.add_argument("--batch-s", type=float, default=0.0, help="how long a batch takes")
    parser.add_argument(
        "--evaluate-s", type=float, default=0.0, help="that every other measuring takes"
    )
    parser.add_argument("--batches", type=int, default=100_000, help="at most")
    parser.add_argument("--sync-frequency", type=int, default=8)
    parser.add_argument("--min-peers", type=int, default=2)
    options = parser.parse_args()

    held_out = None if options.no_data else OPTIMUM + options.held_out
    model = Quadratic(
        options.initial,
        options.offset,
        idle=options.idle,
        held_out=held_out,
        opinion=None if options.opinion is None else OPTIMUM + options.opinion,
        evaluate_s=options.evaluate_s,
    )
    settings = checked_settings(
        syncFrequency=options.sync_frequency,
        minPeers=options.min_peers,
        trainingContract=None,
        mergeMethod=None,
        nodeWeightage=1,
        checkinModelOnTrainEnd="snapshot",
        totalEpochs=1,
    )
    swarm = SwarmCallback(settings, model, None)
    swarm.on_train_begin()
    for _ in range(options.batches):
        time.sleep(options.batch_s)  # stands for the training that is not done here
        model.train()
        if swarm.on_batch_end():
            break
    swarm.on_train_end()


if __name__ == "__main__":
    main()
