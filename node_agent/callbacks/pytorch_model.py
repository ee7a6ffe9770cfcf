"""A PyTorch model seen as a parameter file: what travels, out of the model and back into it."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch

from node_agent.callbacks.errors import ModelError
from node_agent.parameters.format import ParameterFile, Written, write
from node_agent.parameters.schema import Schema, TensorSpec

_TAGS = {
    torch.float32: "F32",
    torch.float16: "F16",
    torch.bfloat16: "BF16",
    torch.int64: "I64",
    torch.int32: "I32",
    torch.int16: "I16",
    torch.int8: "I8",
    torch.uint8: "U8",
    torch.bool: "BOOL",
}


class TorchModel:
    """The travelling part of a model: its state dict without the parameters that are frozen.

    What is frozen is fixed by `attach`: every site merges the same tensors in every round.
    """

    def __init__(self, module: torch.nn.Module) -> None:
        self.module = module
        # torch.compile wraps a module, and puts this prefix before every name of its state.
        self._plain: torch.nn.Module = getattr(module, "_orig_mod", module)
        self._frozen: frozenset[str] = frozenset()
        self._counter = _SampleCounter()
        self._hook: torch.utils.hooks.RemovableHandle | None = None

    @property
    def device(self) -> torch.device:
        first = next(self.module.parameters(), None)
        return torch.device("cpu") if first is None else first.device

    def attach(self) -> Schema:
        """Fix what travels, start to count samples, and return the schema.

        Raises:
            ModelError: naming a tensor that no parameter file can hold.
        """
        parameters = self._plain.named_parameters(remove_duplicate=False)
        self._frozen = frozenset(name for name, p in parameters if not p.requires_grad)
        schema = self.schema()
        if self._hook is None:
            self._hook = self.module.register_forward_pre_hook(self._counter, with_kwargs=True)
        return schema

    def detach(self) -> None:
        """Leave nothing of the callback in the model."""
        if self._hook is not None:
            self._hook.remove()
            self._hook = None

    def take_batch_samples(self) -> int:
        return self._counter.take()

    def state(self) -> dict[str, torch.Tensor]:
        """The tensors that travel, by name; they share memory with the model."""
        for name, parameter in self._plain.named_parameters():
            if parameter.requires_grad and name in self._frozen:
                raise ModelError(
                    f"parameter {name!r} was frozen when training began and is not any more",
                    hint="Frozen parameters do not travel. Unfreeze it before on_train_begin().",
                )
        state = self._plain.state_dict()
        return {name: value for name, value in state.items() if name not in self._frozen}

    def gradient_targets(self) -> dict[str, torch.nn.Parameter]:
        """The parameters that travel; one that has several names is listed under its first."""
        named = self._plain.named_parameters()
        return {name: parameter for name, parameter in named if name not in self._frozen}

    def schema(self) -> Schema:
        return Schema({name: _spec(name, value) for name, value in self.state().items()})

    def write(self, path: Path, metadata: Mapping[str, str]) -> Written:
        """Write the parameters as they are; on a CPU straight from the model's memory."""
        return write_tensors(path, self.state(), metadata)

    def load(self, parameters: ParameterFile) -> None:
        """Copy the file's numbers into the model; optimizers keep their references.

        Raises:
            ModelError: naming the first tensor that is missing, too many, or of another kind.
        """
        self.load_state(self.tensors_of(parameters))

    def load_state(self, state: Mapping[str, torch.Tensor]) -> None:
        self._plain.load_state_dict(state, strict=False)

    def tensors_of(self, parameters: ParameterFile) -> dict[str, torch.Tensor]:
        """The file's tensors, checked against the model: views of its map, never to be written."""
        difference = self.schema().difference(parameters.schema)
        if difference is not None:
            raise ModelError(
                f"{parameters.path.name} does not fit the model: {difference}",
                hint="Every site builds the model that the run's agreement describes.",
            )
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "The given NumPy array is not writable")
            return {
                name: _from_numpy(parameters.tensor(name), spec.dtype)
                for name, spec in parameters.schema.items()
            }


class _SampleCounter:
    """Counts samples where they enter the model; a plain object, so that models stay picklable.

    A model that is called several times for one batch has still seen the samples once.
    """

    def __init__(self) -> None:
        self._most = 0

    def __call__(
        self, module: torch.nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> None:
        if module.training and torch.is_grad_enabled():
            for value in (*args, *kwargs.values()):
                if isinstance(value, torch.Tensor) and value.dim():
                    self._most = max(self._most, value.shape[0])
                    break

    def take(self) -> int:
        most, self._most = self._most, 0
        return most


def write_tensors(
    path: Path, tensors: Mapping[str, torch.Tensor], metadata: Mapping[str, str]
) -> Written:
    """Write tensors as a parameter file; no copy is made of those in CPU memory."""
    arrays = {name: _to_numpy(value) for name, value in tensors.items()}
    bfloat16 = [name for name, value in tensors.items() if value.dtype == torch.bfloat16]
    return write(path, arrays, metadata, bfloat16=bfloat16)


def _spec(name: str, value: Any) -> TensorSpec:
    if not isinstance(value, torch.Tensor):
        raise ModelError(
            f"{name!r} in the model's state_dict() is a {type(value).__name__}, not a tensor",
            hint="Only numbers travel. Keep other state out of state_dict().",
        )
    tag = _TAGS.get(value.dtype)
    if tag is None:
        raise ModelError(
            f"tensor {name!r} is {value.dtype}, which cannot travel",
            hint="Convert the model to float32: model.float()."
            if value.dtype == torch.float64
            else f"Allowed are {', '.join(str(dtype) for dtype in _TAGS)}.",
        )
    return TensorSpec(tag, tuple(value.shape))


def _to_numpy(value: torch.Tensor) -> np.ndarray:
    value = value.detach().cpu()
    if value.dtype == torch.bfloat16:  # which NumPy does not have: its bits
        return value.view(torch.int16).numpy().view(np.uint16)
    return value.numpy()


def _from_numpy(array: np.ndarray, tag: str) -> torch.Tensor:
    if tag == "BF16":
        return torch.from_numpy(array.view(np.int16)).view(torch.bfloat16)
    return torch.from_numpy(array)
