"""The agent's errands for any framework whose model can be seen as NumPy arrays.

A new framework is a subclass of `ArrayTrainee`: say what the tensors are, put them back, measure a
loss, and tell its gradient if there is one. The rest is here: what travels and in which dtype, the
way from base to merged, and that the model in training is left without a trace.
`examples/numpy_softmax` has one in under 80 lines.

    class MyTrainee(ArrayTrainee): ...
    swarm = swarm_callback(MyTrainee(model, validation), syncFrequency=8, minPeers=2)
"""

from __future__ import annotations

import logging
import math
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import Any

import numpy as np

from node_agent.callbacks.base import SwarmCallback
from node_agent.callbacks.differences import CENTRAL_LIMIT, central_differences
from node_agent.callbacks.errors import EvaluationError, ModelError, SwarmRefused
from node_agent.callbacks.measure import GRADIENT_METADATA, Measured
from node_agent.callbacks.settings import settings_of
from node_agent.parameters.convert import bfloat16_to_float32, float64_to_bfloat16
from node_agent.parameters.dtypes import DTYPES, FLOATS, TAG_OF_STORAGE
from node_agent.parameters.format import ParameterFile, Written, write
from node_agent.parameters.schema import Schema, TensorSpec

Arrays = Mapping[str, np.ndarray]


class ArrayTrainee(ABC):
    """A model, its validation data and its loss; subclass it for a new framework.

    Arrays are float32, float16, ml_dtypes' bfloat16, int8 to int64, uint8 or bool, by names that
    are the same at every site and after a restart.
    """

    framework: str
    gradients = True
    """Does `gradient` tell one?"""
    own_opinion = False

    _schema: Schema | None = None

    # -- what a framework says

    @abstractmethod
    def tensors(self) -> Arrays:
        """Return what travels, as it is now. Arrays may share memory with the model."""

    @abstractmethod
    def assign(self, tensors: Arrays) -> None:
        """Put numbers into the model: all or some tensors, of the shapes and dtypes of `tensors`.

        What the optimizer holds must stay valid.
        """

    @abstractmethod
    def measure(self, *, with_metric: bool) -> tuple[float, float]:
        """Return the mean validation loss of the model as it is, and a metric (0 if not asked)."""

    def gradient(self) -> Arrays | None:
        """Return the gradient of `measure`'s loss by the parameters, float32; None without one.

        Tensors that are left out (moving statistics, integers) count as zero.
        """
        return None

    def read_validation(self, tensors: Arrays) -> None:
        """Take the run's agreed validation set, unless the script brought its own.

        Raises:
            EvaluationError: these tensors are no data for this model.
        """
        raise EvaluationError(
            f"{self.framework} cannot read the run's agreed validation set",
            hint="Pass it as adsValData, in the form in which the model takes it.",
        )

    @property
    def has_validation(self) -> bool:
        """Did the script bring validation data?"""
        return True

    def undisturbed(self) -> AbstractContextManager[object]:
        """Keep what is no tensor (random generators, metrics, modes) through an evaluation."""
        return nullcontext()

    def take_batch_samples(self) -> int:
        """Return how many samples the model has seen since the last call, if it can know."""
        return 0

    def detach(self) -> None:
        """Leave nothing of the callback in the model."""
        return None

    # -- the agent's errands

    def attach(self) -> Schema:
        """Fix what travels.

        Raises:
            ModelError: naming a tensor that no parameter file can hold.
        """
        self._schema = schema_of(self.tensors())
        return self._schema

    def write(self, path: Path, metadata: Mapping[str, str]) -> Written:
        tensors = self.tensors()
        self._check(path, schema_of(tensors))
        return write_arrays(path, tensors, metadata)

    def load(self, parameters: ParameterFile) -> None:
        """Put a file's numbers into the model.

        Raises:
            ModelError: naming the first tensor that is missing, too many, or of another kind.
        """
        self.assign(self._read(parameters))

    def use_agreed_validation(self, path: Path | None) -> None:
        if self.has_validation:
            return
        if path is None:
            raise SwarmRefused(
                "adsValData is missing, and the run has no agreed validation set",
                hint="Pass adsValData=...: every merge is measured before it is accepted.",
            )
        self.read_validation(ParameterFile.open(path).tensors())

    def evaluate(
        self,
        base: Path,
        merged: Path,
        points: tuple[tuple[float, float], ...],
        gradient_path: Path | None,
    ) -> Measured:
        """Measure base W and merged W + D, and write sum_k q_k dL/dW(W + s_k D) for points (s, q).

        Float tensors move along the way from W to W + D, integers and booleans are those of W + D.
        The gradient is zero, so that nobody is paid for the round, when it or a loss is no number.
        """
        before, after = (self._read(ParameterFile.open(path)) for path in (base, merged))
        own = {name: np.array(array) for name, array in self.tensors().items()}
        with self.undisturbed():
            try:
                self.assign(before)
                loss_before, metric = self.measure(with_metric=base == merged)
                loss_after = loss_before
                if base != merged:
                    self.assign(after)
                    loss_after, metric = self.measure(with_metric=True)
                if gradient_path is not None:
                    total = self._path_gradient(before, after, points)
                    sums = (loss_before, loss_after, *(float(np.sum(g)) for g in total.values()))
                    if not all(map(math.isfinite, sums)):
                        total = {name: np.zeros_like(array) for name, array in total.items()}
                    write_arrays(gradient_path, total, GRADIENT_METADATA)
            finally:
                self.assign(own)
        return Measured(loss_before, loss_after, metric)

    def _path_gradient(
        self, before: Arrays, after: Arrays, points: tuple[tuple[float, float], ...]
    ) -> dict[str, np.ndarray]:
        total: dict[str, np.ndarray] = {}
        for place, weight in points:
            there = {name: between(before[name], after[name], place) for name in after}
            self.assign(there)
            gradient = self.gradient() if self.gradients else self._numeric_gradient(there)
            for name, array in (gradient or {}).items():
                total.setdefault(name, np.zeros(array.shape, np.float32))
                total[name] += np.float32(weight) * np.asarray(array, np.float32)
        return total

    def _numeric_gradient(self, there: Arrays) -> Arrays:
        floats = {name: array for name, array in there.items() if _tag(array) in FLOATS}
        count = sum(array.size for array in floats.values())
        if count > CENTRAL_LIMIT:
            raise EvaluationError(
                f"{self.framework} tells no gradients, and {count} parameters are too many to "
                f"measure one (at most {CENTRAL_LIMIT})",
                hint="Choose pay by equal parts or by size for this run, or a framework with "
                "gradients.",
            )
        return central_differences(floats, self.assign, lambda: self.measure(with_metric=False)[0])

    def _read(self, parameters: ParameterFile) -> dict[str, np.ndarray]:
        mine = self.tensors()
        self._check(parameters.path, parameters.schema)
        return {
            name: array.view(mine[name].dtype) if _tag(mine[name]) == "BF16" else array
            for name, array in parameters.tensors().items()
        }

    def _check(self, path: Path, schema: Schema) -> None:
        expected = self._schema or schema_of(self.tensors())
        difference = expected.difference(schema)
        if difference is not None:
            raise ModelError(
                f"{path.name} does not fit the model: {difference}",
                hint="Every site builds the model that the run's agreement describes, and what is "
                "frozen stays so while it trains.",
            )


def swarm_callback(
    trainee: ArrayTrainee,
    syncFrequency: int,
    minPeers: int,
    *,
    logger: logging.Logger | None = None,
    **common: Any,
) -> SwarmCallback:
    """Join a framework of one's own to the swarm; `common`: see `settings.COMMON`.

    Raises:
        InvalidParameter: a parameter is unknown or makes no sense.
    """
    return SwarmCallback(settings_of(syncFrequency, minPeers, common), trainee, logger)


def schema_of(tensors: Arrays) -> Schema:
    """Return what a file of these tensors looks like.

    Raises:
        ModelError: naming a tensor that cannot travel.
    """
    specs = {}
    for name, array in tensors.items():
        tag = _tag(array)
        if tag is None:
            raise ModelError(
                f"tensor {name!r} is {array.dtype}, which cannot travel",
                hint="Build the model in float32."
                if array.dtype == np.float64
                else f"Allowed are {', '.join(DTYPES)}.",
            )
        specs[name] = TensorSpec(tag, array.shape)
    return Schema(specs)


def write_arrays(path: Path, tensors: Arrays, metadata: Mapping[str, str]) -> Written:
    """Write arrays, those of ml_dtypes' bfloat16 included, as a parameter file."""
    bfloat16 = [name for name, array in tensors.items() if _tag(array) == "BF16"]
    raw = {n: a.view(np.uint16) if n in set(bfloat16) else a for n, a in tensors.items()}
    return write(path, raw, metadata, bfloat16=bfloat16)


def between(start: np.ndarray, end: np.ndarray, place: float) -> np.ndarray:
    """Return start + place · (end − start) in their dtype; what is no float is the end's."""
    tag = _tag(end)
    if tag not in FLOATS:
        return end
    if tag == "BF16":
        wide = (bfloat16_to_float32(each.view(np.uint16)) for each in (start, end))
        a, b = (each.astype(np.float64) for each in wide)
        mixed: np.ndarray = float64_to_bfloat16(a + place * (b - a)).view(end.dtype)
        return mixed
    a, b = start.astype(np.float64), end.astype(np.float64)
    there: np.ndarray = (a + place * (b - a)).astype(end.dtype)
    return there


@contextmanager
def numpy_randomness() -> Iterator[None]:
    """Give every evaluation the same random numbers, and the script its own generator back."""
    state = np.random.get_state()
    np.random.seed(0)
    try:
        yield
    finally:
        np.random.set_state(state)


def _tag(array: np.ndarray) -> str | None:
    if array.dtype.name == "bfloat16":
        return "BF16"
    return TAG_OF_STORAGE.get(array.dtype.newbyteorder("<"))
