"""The deterministic option for PyTorch: its random generators and the state of its optimizers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import torch

from node_agent.callbacks.resume import Epoch, Resume

_TENSOR = "torch.Tensor"


class TorchResume(Resume):
    """As `Resume`; tensors may be anywhere in what is kept, on any device."""

    def __init__(self, state: Sequence[Any] = ()) -> None:
        super().__init__(state)
        self._loader_generators: list[torch.Generator] = []
        torch.use_deterministic_algorithms(True)

    def batches(self, data: Epoch) -> Iterator[Any]:
        """Yield the batches of an epoch that were not trained on yet; a loader's are known."""
        of_loader = (
            getattr(data, "generator", None),
            getattr(getattr(data, "sampler", None), "generator", None),
        )
        self._loader_generators = [each for each in of_loader if isinstance(each, torch.Generator)]
        yield from super().batches(data)

    def _tree(self) -> dict[str, Any]:
        tree: dict[str, Any] = as_arrays(super()._tree())
        return tree

    def _restore(self, tree: dict[str, Any]) -> None:
        super()._restore(as_tensors(tree))

    def _randomness(self) -> dict[str, Any]:
        return super()._randomness() | {
            "torch": torch.get_rng_state(),
            "cuda": torch.cuda.get_rng_state_all() if torch.cuda.is_available() else [],
            "loader": [each.get_state() for each in self._loader_generators],
        }

    def _set_randomness(self, kept: dict[str, Any]) -> None:
        super()._set_randomness(kept)
        torch.set_rng_state(kept["torch"])
        if kept["cuda"]:
            torch.cuda.set_rng_state_all(kept["cuda"])
        # None of them is known before the loader is; then this is called again.
        for each, state in zip(self._loader_generators, kept["loader"], strict=False):
            each.set_state(state)


def as_arrays(value: Any) -> Any:
    """Return `value` with arrays of bytes in place of its tensors, whatever their dtype."""
    if isinstance(value, torch.Tensor):
        flat = value.detach().cpu().contiguous().reshape(-1)
        dtype, device = str(value.dtype).removeprefix("torch."), str(value.device)
        return {_TENSOR: [flat.view(torch.uint8).numpy(), dtype, list(value.shape), device]}
    if isinstance(value, dict):
        return {key: as_arrays(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        whole = [as_arrays(each) for each in value]
        return whole if isinstance(value, list) else tuple(whole)
    return value


def as_tensors(value: Any) -> Any:
    """Return `value` with the tensors that `as_arrays` has replaced, each on its device."""
    if isinstance(value, dict):
        if value.keys() == {_TENSOR}:
            raw, dtype, shape, device = value[_TENSOR]
            tensor = torch.from_numpy(np.asarray(raw)).view(getattr(torch, dtype))
            return tensor.reshape(shape).to(device)
        return {key: as_tensors(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        whole = [as_tensors(each) for each in value]
        return whole if isinstance(value, list) else tuple(whole)
    return value
