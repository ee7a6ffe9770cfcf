"""A Keras model seen as arrays: what travels and under which names, its loss and its gradient."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import keras
import numpy as np

from node_agent.callbacks.arrays import Arrays, ArrayTrainee, numpy_randomness
from node_agent.callbacks.errors import EvaluationError, ModelError
from node_agent.callbacks.keras_backend import Backend, backend_for
from node_agent.callbacks.keras_data import ValidationData
from node_agent.parameters.schema import Schema


class KerasTrainee(ArrayTrainee):
    """The model that `fit` trains.

    What travels: every weight that was made trainable and is not frozen when training begins, and
    every weight that never was trainable: BatchNorm's moving statistics, the mean and variance of a
    Normalization. What is frozen stays at home, and so do seeds and metrics.
    """

    framework = "keras"

    def __init__(
        self, data: ValidationData | None, batch_size: int | None, samples_per_batch: int | None
    ) -> None:
        self.model: Any = None
        self._data, self._batch_size = data, batch_size
        self._samples_per_batch = samples_per_batch
        self._weights: dict[str, Any] = {}
        self._trained: dict[str, Any] = {}
        self._samples, self._loss_sum = 0.0, 0.0  # of the epoch, at the last look
        self._backend: Backend | None = None

    # -- what travels

    def attach(self) -> Schema:
        if not self.model.built:
            raise ModelError(
                "the model has no weights yet",
                hint="Give it an Input, or call model.build(input_shape), before fit.",
            )
        self._weights, self._trained = travelling(self.model)
        self._backend = backend_for(self.model)
        return super().attach()

    def tensors(self) -> Arrays:
        return {name: keras.ops.convert_to_numpy(v) for name, v in self._weights.items()}

    def assign(self, tensors: Arrays) -> None:
        assert self._backend is not None, "attach comes first"
        for name, array in tensors.items():
            self._backend.assign(self._weights[name], array)

    # -- samples

    def start_epoch(self) -> None:
        """Follow Keras, which sets its metrics back when an epoch begins."""
        self._samples = self._loss_sum = 0.0

    def take_batches(self, steps: int) -> tuple[int, float | None]:
        """Return how many samples the last `steps` batches had, and their mean loss if known.

        Keras weighs every batch's loss by its samples: the weight so far counts them.
        """
        tracker = next((m for m in self.model.metrics if m.name == "loss"), None)
        samples, loss_sum = (
            (0.0, 0.0) if tracker is None else (float(tracker.count), float(tracker.total))
        )
        new, loss = samples - self._samples, loss_sum - self._loss_sum
        self._samples, self._loss_sum = samples, loss_sum
        counted = round(new) if self._samples_per_batch is None else self._samples_per_batch * steps
        return counted, loss / new if new > 0 else None

    # -- measuring

    @property
    def has_validation(self) -> bool:
        return self._data is not None

    def read_validation(self, tensors: Arrays) -> None:
        if tensors.keys() != {"inputs", "targets"}:
            raise EvaluationError(
                f"the agreed validation set holds {', '.join(tensors)}, not inputs and targets",
                hint="Pass it as adsValData, in the form in which the model takes it.",
            )
        pair = tensors["inputs"].copy(), tensors["targets"].copy()
        self._data = ValidationData.of(pair, self._batch_size)

    def measure(self, *, with_metric: bool) -> tuple[float, float]:
        """Return the mean of the compiled loss, and the first of the compiled metrics."""
        assert self._backend is not None
        assert self._data is not None, "attach and use_agreed_validation come first"
        total, samples = 0.0, 0
        if with_metric:
            self.model.reset_metrics()
        for batch in self._data.batches():
            loss, outputs = self._backend.loss(*batch)
            total += loss * batch.samples
            samples += batch.samples
            if with_metric:
                self.model.compute_metrics(batch.x, batch.y, outputs, batch.weight)
        return total / samples, self._metric() if with_metric else 0.0

    def _metric(self) -> float:
        outputs = getattr(self.model, "output_names", None) or ()
        losses = {"loss", *(f"{name}_loss" for name in outputs)}
        results = self.model.get_metrics_result()
        shown = next((value for name, value in results.items() if name not in losses), None)
        return 0.0 if shown is None or np.ndim(shown) else float(shown)

    def gradient(self) -> Arrays:
        """Return the mean over the data; only of what is trained, as it was when training began."""
        assert self._backend is not None
        assert self._data is not None, "attach and use_agreed_validation come first"
        variables = list(self._trained.values())
        sums = {name: np.zeros(tuple(v.shape), np.float64) for name, v in self._trained.items()}
        samples = 0
        for batch in self._data.batches():
            samples += batch.samples
            gradients = self._backend.gradient(*batch, variables)
            for total, gradient in zip(sums.values(), gradients, strict=True):
                if gradient is not None:
                    total += np.float64(batch.samples) * gradient
        return {name: (total / samples).astype(np.float32) for name, total in sums.items()}

    @contextmanager
    def undisturbed(self) -> Iterator[None]:
        """Keep metrics and seeds: the epoch's own numbers go on after an evaluation."""
        weights = {id(v) for v in self.model.weights}
        others = {
            id(v): v
            for v in (*self.model.metrics_variables, *self.model.variables)
            if id(v) not in weights
        }
        before = [np.array(keras.ops.convert_to_numpy(v)) for v in others.values()]
        with numpy_randomness():
            try:
                yield
            finally:
                for variable, array in zip(others.values(), before, strict=True):
                    variable.assign(array)


def travelling(model: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the variables that travel, by stable name, and those of them that are trained.

    Raises:
        ModelError: two weights have the same name.
    """
    trained = {id(v) for v in model.trainable_weights}
    # Keras says what is trainable now; what was made so, and frozen since, only its layers know.
    layers = model._flatten_layers()
    made_trainable = {id(v) for layer in layers for v in layer._trainable_variables}
    weights = {
        name: v
        for name, v in zip(stable_names(model), model.weights, strict=True)
        if id(v) in trained or id(v) not in made_trainable
    }
    return weights, {
        name: v
        for name, v in weights.items()
        if id(v) in trained and "float" in keras.backend.standardize_dtype(v.dtype)
    }


def stable_names(model: Any) -> list[str]:
    """Return a name for each of the model's weights, the same wherever it is built the same way.

    Keras numbers layers by how many of their kind the process has made: the first Dense may be
    `dense` at one site and `dense_4` at another. Here they are numbered within the model, in its
    own order, and the model's own name is left out.
    """
    paths = [variable.path.split("/") for variable in model.weights]
    if paths and all(len(path) > 1 and path[0] == model.name for path in paths):
        paths = [path[1:] for path in paths]
    renamed: dict[tuple[str, ...], str] = {(): ""}
    numbers: dict[str, int] = {}
    names = []
    for path in paths:
        for depth in range(1, len(path) + 1):
            part = tuple(path[:depth])
            if part not in renamed:
                above = renamed[part[:-1]]
                plain = f"{above}/{re.sub(r'_[0-9]+$', '', part[-1])}".lstrip("/")
                number = numbers[plain] = numbers.get(plain, -1) + 1
                renamed[part] = f"{plain}_{number}" if number else plain
        names.append(renamed[tuple(path)])
    repeated = {name for name in names if names.count(name) > 1}
    if repeated:
        raise ModelError(
            f"two weights of the model are named {min(repeated)!r}",
            hint="Give layers and weights names of their own.",
        )
    return names
