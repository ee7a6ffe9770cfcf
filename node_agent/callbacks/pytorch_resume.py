"""Lets a training process that was killed go on as if it had not been: the deterministic option.

Before each sync everything that decides what comes next, and is not in the model, is written
beside the agent's files: random generators, the optimizer, the scheduler, the gradient scaler, and
how far the epoch is. The model itself comes with the merge. A process that starts again loads the
model that the agent hands it, looks up the state that belongs to it, and goes through the epoch's
batches up to where it was.

Files hold numbers and JSON, nothing that runs code when it is read.
"""

from __future__ import annotations

import json
import random
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from node_agent.callbacks.errors import InvalidParameter, ModelError
from node_agent.parameters.format import ParameterFile, write

_KEPT = 3  # windows: the last one's merge may not be loaded yet, and the one before be asked again
_METADATA = {"format": "swarm-1", "kind": "resume"}


class Resume:
    """Keeps the state of a deterministic training run over the end of its process.

    Args:
        objects: optimizer, scheduler, scaler (whatever has `state_dict` and `load_state_dict`), and
            `torch.Generator`s, in the same order after every start.

    Raises:
        InvalidParameter: an object's state cannot be kept.
    """

    def __init__(self, objects: Sequence[Any]) -> None:
        for each in objects:
            if not isinstance(each, torch.Generator) and not (
                hasattr(each, "state_dict") and hasattr(each, "load_state_dict")
            ):
                raise InvalidParameter(
                    f"state holds {each!r}, whose state cannot be kept",
                    hint="It takes optimizers, schedulers, scalers and torch.Generators.",
                )
        self._objects = list(objects)
        self._folder: Path | None = None
        self._window = 0
        self.epoch, self._done, self._skip = 0, 0, 0
        self._first = True
        self._generators: list[torch.Generator] = []
        self._epoch_start: Any = None
        self._now: Any = None
        torch.use_deterministic_algorithms(True)

    # -- what the callback tells

    def joined(self, folder: Path) -> None:
        """Keep the files of this run in `folder`."""
        self._folder = folder
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        windows = self._windows()
        if windows:
            self._window = windows[-1]
        else:
            self._save("")

    def syncing(self, base: str) -> None:
        """Write the state at the end of a window that was trained from `base`."""
        self._window += 1
        self._save(base)
        for window in self._windows()[:-_KEPT]:
            self._path(window).unlink(missing_ok=True)
            self._next(window).unlink(missing_ok=True)

    def loaded(self, base: str) -> None:
        """Note which model follows the last window; after a start, take up the state before it."""
        if self._first:
            self._first = False
            self._window = self._before(base)
            self._restore(ParameterFile.open(self._path(self._window)))
        temporary = self._next(self._window).with_suffix(".new")
        temporary.write_text(base)
        temporary.replace(self._next(self._window))

    # -- the loop

    def start_epoch(self, epoch: int) -> None:
        """Count epochs; the batches of one that was begun before are gone through once more."""
        if epoch != self.epoch:
            self.epoch, self._done, self._skip = epoch, 0, 0
        elif not self._skip:
            self._done = 0

    def batches(self, loader: Iterable[Any]) -> Iterator[Any]:
        """Yield the batches of an epoch that were not trained on yet."""
        of_loader = (
            getattr(loader, "generator", None),
            getattr(getattr(loader, "sampler", None), "generator", None),
        )
        self._generators = [each for each in of_loader if isinstance(each, torch.Generator)]
        skip, self._skip = self._skip, 0
        if skip:
            self._set_randomness(self._epoch_start)
        else:
            self._epoch_start = self._randomness()
        batches = iter(loader)
        for _ in range(skip):
            next(batches)
        if skip:
            self._set_randomness(self._now)
        self._done = skip
        for batch in batches:
            self._done += 1
            yield batch

    # -- the files

    def _before(self, base: str) -> int:
        """The window that the model `base` followed; the last one, if it was not seen before."""
        windows = self._windows()
        for window in reversed(windows):
            if self._next(window).is_file() and self._next(window).read_text() == base:
                return window
        return windows[-1]

    def _save(self, base: str) -> None:
        tensors: dict[str, np.ndarray] = {}
        tree = {
            "base": base,
            "epoch": self.epoch,
            "done": self._done,
            "start": self._epoch_start,
            "now": self._randomness(),
            "objects": [_state(each) for each in self._objects],
        }
        text = json.dumps(_packed(tree, tensors))
        write(self._path(self._window), tensors, {**_METADATA, "tree": text})

    def _restore(self, file: ParameterFile) -> None:
        tree = _unpacked(json.loads(file.metadata["tree"]), file)
        if len(tree["objects"]) != len(self._objects):
            raise ModelError(
                f"{file.path} keeps the state of {len(tree['objects'])} objects, "
                f"state has {len(self._objects)}",
                hint="Pass the same objects after every start, or delete the folder.",
            )
        for each, kept in zip(self._objects, tree["objects"], strict=True):
            if isinstance(each, torch.Generator):
                each.set_state(kept)
            else:
                each.load_state_dict(kept)
        self.epoch, self._done = tree["epoch"], tree["done"]
        self._skip, self._epoch_start, self._now = self._done, tree["start"], tree["now"]
        if not self._skip:
            self._set_randomness(self._now)

    def _windows(self) -> list[int]:
        assert self._folder is not None, "joined comes first"
        return sorted(int(path.stem) for path in self._folder.glob("*.safetensors"))

    def _path(self, window: int) -> Path:
        assert self._folder is not None, "joined comes first"
        return self._folder / f"{window:08d}.safetensors"

    def _next(self, window: int) -> Path:
        return self._path(window).with_suffix(".next")

    # -- random numbers

    def _randomness(self) -> dict[str, Any]:
        version, words, gauss = random.getstate()
        of_numpy: Any = np.random.get_state()
        name, keys, position, has_gauss, cached = of_numpy
        return {
            "python": [version, list(words), gauss],
            "numpy": [name, torch.from_numpy(keys.astype(np.int64)), position, has_gauss, cached],
            "torch": torch.get_rng_state(),
            "cuda": torch.cuda.get_rng_state_all() if torch.cuda.is_available() else [],
            "generators": [each.get_state() for each in self._generators],
        }

    def _set_randomness(self, kept: dict[str, Any]) -> None:
        version, words, gauss = kept["python"]
        random.setstate((version, tuple(words), gauss))
        name, keys, *rest = kept["numpy"]
        np.random.set_state((name, keys.numpy().astype(np.uint32), *rest))
        torch.set_rng_state(kept["torch"])
        if kept["cuda"]:
            torch.cuda.set_rng_state_all(kept["cuda"])
        for each, state in zip(self._generators, kept["generators"], strict=False):
            each.set_state(state)


def _state(each: Any) -> Any:
    return each.get_state() if isinstance(each, torch.Generator) else each.state_dict()


def _packed(value: Any, tensors: dict[str, np.ndarray]) -> Any:
    """Return `value` as JSON holds it; the tensors in it go to `tensors` as bytes."""
    if isinstance(value, torch.Tensor):
        name = str(len(tensors))
        whole = value.detach().cpu().contiguous().reshape(-1)
        tensors[name] = whole.view(torch.uint8).numpy()
        dtype, device = str(value.dtype).removeprefix("torch."), str(value.device)
        return {"tensor": [name, dtype, list(value.shape), device]}
    if isinstance(value, dict):
        return {"dict": [[_packed(k, tensors), _packed(v, tensors)] for k, v in value.items()]}
    if isinstance(value, list | tuple):
        kind = "list" if isinstance(value, list) else "tuple"
        return {kind: [_packed(each, tensors) for each in value]}
    if value is None or isinstance(value, bool | int | float | str):
        return value
    raise ModelError(
        f"the state of a {type(value).__name__} cannot be kept for a restart",
        hint="State is made of tensors, numbers, text, lists and dicts.",
    )


def _unpacked(value: Any, file: ParameterFile) -> Any:
    if not isinstance(value, dict):
        return value
    [(kind, held)] = value.items()
    if kind == "tensor":
        name, dtype, shape, device = held
        raw = torch.from_numpy(np.array(file.tensor(name)))
        return raw.view(getattr(torch, dtype)).reshape(shape).to(device)
    if kind == "dict":
        return {_unpacked(k, file): _unpacked(v, file) for k, v in held}
    unpacked = [_unpacked(each, file) for each in held]
    return unpacked if kind == "list" else tuple(unpacked)
