"""Validation data for PyTorch, in every form that scripts have it, as batches that come again."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.utils.data import DataLoader, Dataset

from node_agent.callbacks.errors import EvaluationError, InvalidParameter
from node_agent.parameters.format import ParameterFile

DEFAULT_BATCH_SIZE = 1024
_CACHE_LIMIT_BYTES = 256 << 20

Batch = tuple[Any, torch.Tensor]  # what the model takes, and the targets


class ValidationData:
    """Pairs (inputs, targets). A merge goes over them several times, so small sets are kept."""

    def __init__(self, source: Iterable[Batch]) -> None:
        self._source = source
        self._kept: list[Batch] | None = None

    @classmethod
    def of(cls, data: Any, batch_size: int | None) -> ValidationData:
        """Take a DataLoader, a map-style Dataset, a pair of tensors or arrays, or a list of pairs.

        `batch_size` is used where the data are not in batches yet.
        """
        if isinstance(data, tuple) and len(data) == 2 and all(_is_array(part) for part in data):
            inputs, targets = (torch.as_tensor(part) for part in data)
            return cls(_sliced(inputs, targets, batch_size or DEFAULT_BATCH_SIZE))
        if isinstance(data, Dataset):
            data = DataLoader(data, batch_size=batch_size or DEFAULT_BATCH_SIZE)
        if not isinstance(data, Iterable) or isinstance(data, Iterator | str | dict):
            raise InvalidParameter(
                f"adsValData cannot be a {type(data).__name__}: it is gone over in every round",
                hint="Pass a DataLoader, a Dataset, or a pair of tensors (inputs, targets).",
            )
        return cls(data)

    @classmethod
    def from_file(cls, path: Path, batch_size: int | None) -> ValidationData:
        """Read an agreed validation set: a parameter file with tensors `inputs` and `targets`."""
        tensors = ParameterFile.open(path).tensors()
        if tensors.keys() != {"inputs", "targets"}:
            raise EvaluationError(
                f"the agreed validation set holds {', '.join(tensors)}, not inputs and targets",
                hint="Pass it as adsValData, in the form in which the model takes it.",
            )
        return cls.of((tensors["inputs"].copy(), tensors["targets"].copy()), batch_size)

    def batches(self, device: torch.device) -> Iterator[Batch]:
        """Yield all batches, on the device of the model.

        Raises:
            EvaluationError: there are none, or one is no pair.
        """
        if self._kept is not None:
            for inputs, targets in self._kept:
                yield _moved(inputs, device), targets.to(device)
            return
        kept: list[Batch] = []
        size, any_batch = 0, False
        for batch in self._source:
            inputs, targets = _pair(batch)
            any_batch = True
            size += _size_bytes(inputs) + targets.nbytes
            if size <= _CACHE_LIMIT_BYTES:
                kept.append((inputs, targets))
            yield _moved(inputs, device), targets.to(device)
        if not any_batch:
            raise EvaluationError("adsValData has no batches")
        if size <= _CACHE_LIMIT_BYTES:
            self._kept = kept


def _sliced(inputs: torch.Tensor, targets: torch.Tensor, batch_size: int) -> list[Batch]:
    if len(inputs) != len(targets):
        raise InvalidParameter(f"adsValData has {len(inputs)} inputs, but {len(targets)} targets")
    starts = range(0, len(targets), batch_size)
    return [(inputs[i : i + batch_size], targets[i : i + batch_size]) for i in starts]


def _pair(batch: Any) -> Batch:
    if isinstance(batch, tuple | list) and len(batch) == 2 and isinstance(batch[1], torch.Tensor):
        return batch[0], batch[1]
    raise EvaluationError(
        f"adsValData yields a {type(batch).__name__}, not pairs (inputs, targets)",
        hint="Let the data set return two things per sample: what the model takes, and the target.",
    )


def _is_array(value: Any) -> bool:
    return isinstance(value, torch.Tensor | np.ndarray)


def _size_bytes(value: Any) -> int:
    if isinstance(value, torch.Tensor):
        return value.nbytes
    parts = value.values() if isinstance(value, dict) else value
    return sum(_size_bytes(part) for part in parts) if isinstance(value, dict | list | tuple) else 0


def _moved(value: Any, device: torch.device) -> Any:
    if isinstance(value, torch.Tensor):
        return value.to(device)
    if isinstance(value, dict):
        return {key: _moved(part, device) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return tuple(_moved(part, device) for part in value)
    return value
