"""Validation data for Keras, in every form that `fit` takes them, as batches that come again."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

import keras
import numpy as np

from node_agent.callbacks.errors import EvaluationError, InvalidParameter

DEFAULT_BATCH_SIZE = 1024
_CACHE_LIMIT_BYTES = 256 << 20


class Batch(NamedTuple):
    """What the model takes, the targets, and the weights of the samples, if they have some."""

    x: Any
    y: Any
    weight: Any

    @property
    def samples(self) -> int:
        return int(keras.tree.flatten(self.x)[0].shape[0])


class ValidationData:
    """Batches. A merge goes over them several times, so small sets are kept."""

    def __init__(self, source: Iterable[Any], *, once: bool = False) -> None:
        self._source, self._once = source, once
        self._kept: list[Batch] | None = None

    @classmethod
    def of(cls, data: Any, batch_size: int | None) -> ValidationData:
        """Take (x, y[, sample_weight]) as arrays, a Dataset, PyDataset, DataLoader or generator.

        Raises:
            InvalidParameter: it is none of them.
        """
        if isinstance(data, tuple):
            if len(data) not in (2, 3):
                raise InvalidParameter(
                    f"adsValData has {len(data)} parts, not (x, y) or (x, y, sample_weight)"
                )
            return cls(_sliced(data, batch_size or DEFAULT_BATCH_SIZE))
        if isinstance(data, keras.utils.PyDataset):
            return cls(_Indexed(data))
        if not isinstance(data, Iterable) or isinstance(data, str | dict | np.ndarray):
            raise InvalidParameter(
                f"adsValData cannot be a {type(data).__name__}",
                hint="Pass (x, y), (x, y, sample_weight), a Dataset, or a generator that ends.",
            )
        return cls(data, once=isinstance(data, Iterator))

    def batches(self) -> Iterator[Batch]:
        """Yield all batches.

        Raises:
            EvaluationError: there are none, one is no pair, or a generator yields too much.
        """
        if self._kept is not None:
            yield from self._kept
            return
        kept: list[Batch] = []
        size, count = 0, 0
        for each in self._source:
            batch = _batch(each)
            count += 1
            size += sum(np.asarray(part).nbytes for part in keras.tree.flatten(tuple(batch)))
            if size <= _CACHE_LIMIT_BYTES:
                kept.append(batch)
            elif self._once:
                raise EvaluationError(
                    "adsValData is a generator of more than 256 MiB, and is gone over every round",
                    hint="Pass a tf.data.Dataset or a PyDataset: they can be started again.",
                )
            yield batch
        if not count:
            raise EvaluationError("adsValData has no batches")
        if size <= _CACHE_LIMIT_BYTES:
            self._kept = kept


class _Indexed:
    """A PyDataset's batches, once, in order; it yields without an end by itself."""

    def __init__(self, data: Any) -> None:
        self._data = data

    def __iter__(self) -> Iterator[Any]:
        return (self._data[index] for index in range(len(self._data)))


def _sliced(data: tuple[Any, ...], batch_size: int) -> list[tuple[Any, ...]]:
    arrays = keras.tree.map_structure(np.asarray, data)
    lengths = {len(array) for array in keras.tree.flatten(arrays)}
    if len(lengths) != 1:
        raise InvalidParameter(
            f"the parts of adsValData differ in length: {', '.join(map(str, sorted(lengths)))}"
        )
    return [
        keras.tree.map_structure(lambda array, i=i: array[i : i + batch_size], arrays)
        for i in range(0, lengths.pop(), batch_size)
    ]


def _batch(each: Any) -> Batch:
    if isinstance(each, tuple | list) and len(each) in (2, 3):
        return Batch(each[0], each[1], each[2] if len(each) == 3 else None)
    raise EvaluationError(
        f"adsValData yields a {type(each).__name__}, not (x, y) or (x, y, sample_weight)",
        hint="Let the data set yield what model.fit takes.",
    )
