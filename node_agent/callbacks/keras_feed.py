"""The batches that `fit` gets with the deterministic option.

`fit` prefetches, and cannot be told to begin in the middle of an epoch. So the callback hands it
the batches: `Feed` goes through the user's data epoch by epoch, has something else in place of what
was trained on before a restart, and compares the last batch of that with the one that was.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice
from threading import Lock
from typing import Any

import keras
import numpy as np

from node_agent.callbacks.errors import InvalidParameter, ModelError
from node_agent.callbacks.resume import Epoch
from node_agent.callbacks.resume_files import digest


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
        return self._count

    def __getitem__(self, index: int) -> Any:
        with self._lock:
            if self._source is None or index < max(self._skip, min(self._made, default=0)):
                return self._shapes[min(index, len(self._shapes) - 1)]  # nobody trains on these
            while self._asked <= index:
                batch = self._made[self._asked] = _arrays(next(self._source))
                self._digests[self._asked] = digest(batch)
                self._asked += 1
            return self._made[index]

    def start(self, epoch: int, skip: int, last: str) -> None:
        """Begin an epoch whose first `skip` batches do not matter; the last has the hash `last`.

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


def in_order(feed: Feed) -> Any:
    """Return what `fit` takes without shuffling, which for a PyDataset it does by default."""
    # Keras takes an adapter for its data, but has no public name for this one.
    from keras.src.trainers.data_adapters.py_dataset_adapter import PyDatasetAdapter

    return PyDatasetAdapter(feed, shuffle=False)


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
