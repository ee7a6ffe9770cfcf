"""The deterministic option for Keras on TensorFlow, and the batches that `fit` gets with it.

`fit` prefetches, and cannot be told to begin in the middle of an epoch. So the callback hands it
the batches: `Feed` goes through the user's data epoch by epoch, leaves out what was trained on
before a restart, and compares the last batch that it leaves out with the one that was trained on.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from itertools import islice
from threading import Lock
from typing import Any

import keras
import numpy as np

from node_agent.callbacks.errors import InvalidParameter, ModelError
from node_agent.callbacks.resume import Epoch, Resume
from node_agent.callbacks.resume_files import digest

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


class Feed(keras.utils.PyDataset):  # type: ignore[misc]  # Keras has no types
    """An epoch's batches for `fit`, from where it was left.

    Args:
        data: a tf.data.Dataset, a PyDataset, a list of batches, or a function of the epoch's number
            that returns one of them; of a known number of batches.

    Raises:
        InvalidParameter: nobody can tell how many batches it has.
    """

    def __init__(self, data: Epoch) -> None:
        super().__init__()
        self._data = data
        self._count = _length(data(0) if callable(data) else data)
        self._epoch, self._begun = 0, False
        self._skip = 0
        self._lock = Lock()  # TensorFlow asks ahead, in threads that may outlive an epoch
        self._source: Iterator[Any] | None = None
        self._made: dict[int, Any] = {}
        self._digests: dict[int, str] = {}
        self._asked = 0
        first = _batches(data(0) if callable(data) else data, 0)
        self._shapes = [_arrays(batch) for batch in islice(first, 2)]

    @property
    def num_batches(self) -> int:
        return self._count - self._skip

    def __getitem__(self, index: int) -> Any:
        with self._lock:
            place = self._skip + index
            if self._source is None or place < min(self._made, default=0):
                return self._shapes[min(index, len(self._shapes) - 1)]  # nobody trains on these
            while self._asked <= place:
                batch = self._made[self._asked] = _arrays(next(self._source))
                self._digests[self._asked] = digest(batch)
                self._asked += 1
            return self._made[place]

    def start(self, epoch: int, skip: int, last: str) -> None:
        """Begin an epoch after `skip` batches, of which the last has the hash `last`.

        Raises:
            ModelError: the batches come out otherwise than before.
        """
        self._pass_by(epoch)
        data = self._data(epoch) if callable(self._data) else self._data
        if isinstance(data, keras.utils.PyDataset):
            data.on_epoch_begin()
        self._begun = True
        source = _batches(data, max(skip - 1, 0))
        if skip and digest(_arrays(next(source, ()))) != last:
            raise ModelError(
                f"batch {skip} of epoch {epoch} is not the one that was trained on before the "
                "restart, so training cannot go on exactly",
                hint="Let the data come in an order that only a seed and the epoch decide: "
                "swarm.batches(lambda epoch: ...), a Dataset whose shuffle has a seed, or a "
                "PyDataset with a generator of its own.",
            )
        with self._lock:
            self._source, self._skip, self._asked = source, skip, skip
            self._made, self._digests = {}, {}

    def trained(self, batches: int) -> str:
        """Return the hash of the last of so many batches, and forget those before it."""
        with self._lock:
            for index in [index for index in self._made if index < batches - 1]:
                del self._made[index], self._digests[index]
            return self._digests.get(batches - 1, "")

    def _pass_by(self, epoch: int) -> None:
        """Do what the epochs before this one do to the data, without using their batches."""
        data = self._data
        for _ in range(self._epoch, epoch):
            if callable(data):
                break
            if isinstance(data, keras.utils.PyDataset):
                if not self._begun:
                    data.on_epoch_begin()
                data.on_epoch_end()
            elif not self._begun:
                iter(data)  # a Dataset that shuffles anew counts how often it was begun
            self._begun = False
        self._epoch = epoch


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
            self._set_randomness(self._now)
            # `fit` expects whole epochs, and only warns where one is shorter.
            warnings.filterwarnings("ignore", "Your input ran out of data")
        self._feed.start(epoch, skip, self._last)

    def trained(self, steps: int) -> None:
        """Count batches."""
        self._done += steps
        if self._feed is not None:
            self._last = self._feed.trained(self._done)

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
        step = self._model().train_function
        if self._looked or not hasattr(step, "_list_all_concrete_functions"):
            return
        self._looked = True
        for concrete in step._list_all_concrete_functions():
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


def _length(data: Iterable[Any]) -> int:
    count = data.num_batches if isinstance(data, keras.utils.PyDataset) else None
    if count is None:
        try:
            count = len(data)  # type: ignore[arg-type]  # asks whether it has one
        except TypeError as error:
            raise InvalidParameter(
                f"nobody can tell how many batches the {type(data).__name__} has",
                hint="Pass a list, a PyDataset, or a tf.data.Dataset of known cardinality "
                "(tf.data.experimental.assert_cardinality).",
            ) from error
    return int(count)


def _batches(data: Iterable[Any], skip: int) -> Iterator[Any]:
    """Yield the batches after the first `skip`."""
    if isinstance(data, keras.utils.PyDataset):
        yield from (data[index] for index in range(skip, int(data.num_batches or 0)))
    else:
        for index, batch in enumerate(data):
            if index >= skip:
                yield batch


def _arrays(batch: Any) -> Any:
    return keras.tree.map_structure(np.asarray, batch)


def _array(variable: Any) -> np.ndarray:
    return np.array(keras.ops.convert_to_numpy(variable))
