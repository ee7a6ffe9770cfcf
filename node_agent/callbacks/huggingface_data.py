"""Validation data for models that take dictionaries with labels among their inputs."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from torch.utils.data import DataLoader

from node_agent.callbacks.errors import EvaluationError, InvalidParameter
from node_agent.callbacks.pytorch_data import DEFAULT_BATCH_SIZE, Batch, ValidationData
from node_agent.parameters.format import ParameterFile

Collate = Callable[[list[Any]], Any]
LABELS = "labels"
_LABEL_COLUMNS = {"label", "label_ids", LABELS}  # which the collators of transformers know


def labelled(
    data: Any, batch_size: int | None, collate: Collate, model: torch.nn.Module
) -> ValidationData:
    """Take a data set of rows that the collator takes, or something that yields batches.

    Columns that the model's forward does not know are left out, as the Trainer does.
    """
    if isinstance(data, DataLoader):
        return ValidationData(_Batches(data))
    if not (hasattr(data, "__getitem__") and hasattr(data, "__len__")) or isinstance(
        data, str | dict | tuple
    ):
        raise InvalidParameter(
            f"adsValData cannot be a {type(data).__name__}: it is gone over in every round",
            hint="Pass a data set of tokenized rows with labels, or a DataLoader.",
        )
    unwrapped: Any = getattr(model, "get_base_model", None)  # a model with adapters wraps another
    plain = model if unwrapped is None else unwrapped()
    known = inspect.signature(plain.forward).parameters.keys() | _LABEL_COLUMNS

    def of_known(rows: list[Mapping[str, Any]]) -> Any:
        return collate([{k: v for k, v in row.items() if k in known} for row in rows])

    loader = DataLoader(data, batch_size or DEFAULT_BATCH_SIZE, collate_fn=of_known)
    return ValidationData(_Batches(loader))


def labelled_file(path: Path, batch_size: int | None) -> ValidationData:
    """Read an agreed validation set: a parameter file with the model's inputs and `labels`."""
    tensors = ParameterFile.open(path).tensors()
    if LABELS not in tensors or len({len(array) for array in tensors.values()}) != 1:
        raise EvaluationError(
            f"the agreed validation set holds {', '.join(tensors)}, not inputs and {LABELS} of one "
            "length",
            hint="Pass it as adsValData, in the form in which the Trainer takes it.",
        )
    inputs = {name: torch.tensor(array) for name, array in tensors.items()}
    size = batch_size or DEFAULT_BATCH_SIZE
    cut = [
        {name: tensor[start : start + size] for name, tensor in inputs.items()}
        for start in range(0, len(inputs[LABELS]), size)
    ]
    return ValidationData(_Batches(cut))


class _Batches:
    """Pairs of all that the model takes, labels included, and the labels."""

    def __init__(self, source: Iterable[Any]) -> None:
        self._source = source

    def __iter__(self) -> Iterator[Batch]:
        for batch in self._source:
            if not isinstance(batch, Mapping) or LABELS not in batch:
                raise EvaluationError(
                    f"a batch of adsValData has no {LABELS!r}",
                    hint="Name the column of targets 'labels': the model works its loss out of it.",
                )
            yield dict(batch), batch[LABELS]
