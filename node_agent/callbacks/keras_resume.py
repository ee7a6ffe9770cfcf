"""The deterministic option for Keras on TensorFlow: its optimizer, seeds and random generators."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Any

import keras
import numpy as np

from node_agent.callbacks.errors import InvalidParameter, ModelError
from node_agent.callbacks.keras_feed import Feed
from node_agent.callbacks.resume import Epoch, Resume

# Of TensorFlow's older generators nobody can see the state. Keras itself uses none of them.
_HIDDEN = {
    "Multinomial",
    "ParameterizedTruncatedNormal",
    "RandomGamma",
    "RandomPoissonV2",
    "RandomShuffle",
    "RandomStandardNormal",
    "RandomUniform",
    "RandomUniformInt",
    "TruncatedNormal",
}


class KerasResume(Resume):
    """As `Resume`; with the optimizer, the seeds of layers and TensorFlow's generators.

    Args:
        model: tells the model that `fit` trains.

    Raises:
        InvalidParameter: Keras does not run on TensorFlow.
    """

    def __init__(self, model: Callable[[], Any]) -> None:
        super().__init__()
        if keras.backend.backend() != "tensorflow":
            raise InvalidParameter(
                f"deterministic is for Keras on TensorFlow, not on {keras.backend.backend()}",
                hint="Leave it out, or set KERAS_BACKEND=tensorflow before Keras is imported.",
            )
        import tensorflow as tf

        self._model = model
        self._feed: Feed | None = None
        self._last = ""
        self._looked = False
        self._passing = 0
        self._step: Any = None
        tf.config.experimental.enable_op_determinism()
        self._generator: Any = None
        with suppress(RuntimeError):  # the script has set none, and now cannot get one unseeded
            self._generator = tf.random.get_global_generator()

    def feed(self, data: Epoch) -> Feed:
        """Return what `fit` takes as its data."""
        self._feed, self._followed = Feed(data), True
        return self._feed

    def start_epoch(self, epoch: int) -> None:
        super().start_epoch(epoch)
        if self._feed is None:
            return
        skip, self._skip = self._skip, 0
        self._done = skip
        if skip:
            self._pass_by(skip)
        self._feed.start(epoch, skip, self._last)

    def trained(self, steps: int) -> bool:
        """Count batches; False if they were only passed by."""
        if self._passing:
            self._passing = max(self._passing - steps, 0)
            if not self._passing:
                self._model().train_function = self._step
                self._set_randomness(self._now)
            return False
        self._done += steps
        if self._feed is not None:
            self._last = self._feed.trained(self._done)
        return True

    def _pass_by(self, batches: int) -> None:
        """Let `fit` go through batches without training on them."""
        model = self._model()
        self._passing, self._step = batches, model.train_function

        def step(iterator: Any) -> dict[str, Any]:
            for _ in range(model.steps_per_execution):
                next(iterator)
            return {}

        model.train_function = step

    def _kept(self) -> Any:
        if self._feed is not None and self._done:
            self._look_for_hidden_randomness()
        return {
            "last": self._last,
            "optimizer": [_array(each) for each in self._optimizer().variables],
            "seeds": [_array(each) for each in self._seeds()],
        }

    def _take_up(self, kept: Any) -> None:
        self._last = kept["last"]
        for kind, variables in (
            ("optimizer", self._optimizer().variables),
            ("seeds", self._seeds()),
        ):
            shapes = [tuple(each.shape) for each in variables]
            if shapes != [array.shape for array in kept[kind]]:
                raise ModelError(
                    f"the {kind} of the model are not those of the killed process",
                    hint="Build and compile the same model after every start, or delete the "
                    "resume folder that the node agent has beside its files.",
                )
            for variable, array in zip(variables, kept[kind], strict=True):
                variable.assign(array)

    def _optimizer(self) -> Any:
        model = self._model()
        if not model.optimizer.built:
            model.optimizer.build(model.trainable_variables)
        return model.optimizer

    def _seeds(self) -> list[Any]:
        model = self._model()
        others = {id(each) for each in (*model.weights, *model.metrics_variables)}
        return [each for each in model.variables if id(each) not in others]

    def _randomness(self) -> dict[str, Any]:
        return super()._randomness() | {
            "tensorflow": None if self._generator is None else self._generator.state.numpy(),
            "keras": _array(_global_seed().state),
        }

    def _set_randomness(self, kept: dict[str, Any]) -> None:
        super()._set_randomness(kept)
        if self._generator is not None:
            self._generator.reset(kept["tensorflow"])
        _global_seed().state.assign(kept["keras"])

    def _look_for_hidden_randomness(self) -> None:
        """Refuse a model that draws numbers from a generator whose state cannot be kept.

        Raises:
            ModelError: naming the operation.
        """
        if self._looked:
            return
        self._looked = True
        step = self._model().train_function
        # Keras wraps what TensorFlow has compiled in a function of Python's.
        within = [cell.cell_contents for cell in getattr(step, "__closure__", None) or ()]
        compiled = [f for f in (step, *within) if hasattr(f, "_list_all_concrete_functions")]
        for concrete in (each for f in compiled for each in f._list_all_concrete_functions()):
            graph = concrete.graph.as_graph_def()
            nodes = [*graph.node, *(n for f in graph.library.function for n in f.node_def)]
            hidden = next((node.op for node in nodes if node.op in _HIDDEN), None)
            if hidden is not None:
                raise ModelError(
                    f"the model draws from TensorFlow's {hidden}, whose state cannot be kept, so "
                    "that a restart would not be exact",
                    hint="Draw from keras.random with a SeedGenerator, or leave deterministic out.",
                )


def _global_seed() -> Any:
    # What keras.random draws from without a seed; Keras has no public name for it.
    from keras.src.random.seed_generator import global_seed_generator

    return global_seed_generator()


def _array(variable: Any) -> np.ndarray:
    return np.array(keras.ops.convert_to_numpy(variable))
