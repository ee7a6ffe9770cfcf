"""The files of a deterministic run: what each window left, as numbers and JSON.

Nothing in them runs code when it is read. Beside the state at the end of a window stands the name
of the model that followed it, so that a process that starts again finds what belongs to the model
that the agent hands it.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np

from node_agent.callbacks.errors import ModelError
from node_agent.parameters.format import ParameterFile, write

_KEPT = 3  # windows: the last one's merge may not be loaded yet, and the one before be asked again
_METADATA = {"format": "swarm-1", "kind": "resume-2"}


class Windows:
    """The state at the end of each of a run's last windows; 0 is the state before the first."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.last = max(self._all(), default=-1)

    def save(self, base: str, tree: Any) -> None:
        """Keep `tree` as what a window that was trained from the model `base` has left."""
        self.last += 1
        tensors: dict[str, np.ndarray] = {}
        text = json.dumps(packed({"base": base, "state": tree}, tensors))
        write(self._path(self.last), tensors, {**_METADATA, "tree": text})
        for window in self._all()[:-_KEPT]:
            self._path(window).unlink(missing_ok=True)
            self._next(window).unlink(missing_ok=True)

    def followed(self, base: str) -> None:
        """Note which model follows the last window."""
        temporary = self._next(self.last).with_suffix(".new")
        temporary.write_text(base)
        temporary.replace(self._next(self.last))

    def back_to(self, base: str) -> Any:
        """Go back to the window that the model `base` followed, and return what it left.

        That is the last one, if `base` was not seen before.

        Raises:
            ModelError: another version of the callback has written it.
        """
        for window in reversed(self._all()):
            if self._next(window).is_file() and self._next(window).read_text() == base:
                self.last = window
                break
        file = ParameterFile.open(self._path(self.last))
        if file.metadata.get("kind") != _METADATA["kind"]:
            raise ModelError(
                f"{file.path} was written by another version of the callback",
                hint="Delete its folder: training goes on from the swarm's model, without the "
                "state of the killed process.",
            )
        return unpacked(json.loads(file.metadata["tree"]), file)["state"]

    def _all(self) -> list[int]:
        return sorted(int(path.stem) for path in self.folder.glob("*.safetensors"))

    def _path(self, window: int) -> Path:
        return self.folder / f"{window:08d}.safetensors"

    def _next(self, window: int) -> Path:
        return self._path(window).with_suffix(".next")


def digest(value: Any) -> str:
    """Return a hash of a tree of arrays, numbers, text, lists and dicts."""
    tensors: dict[str, np.ndarray] = {}
    found = hashlib.blake2b(json.dumps(packed(value, tensors)).encode(), digest_size=16)
    for array in tensors.values():
        found.update(array.data)
    return found.hexdigest()


def packed(value: Any, tensors: dict[str, np.ndarray]) -> Any:
    """Return `value` as JSON holds it; the arrays in it go to `tensors` as bytes.

    Raises:
        ModelError: there is something in it that neither can hold.
    """
    if value is None or isinstance(value, bool | int | float | str):
        # Of NumPy's scalars, float64 and str_ are Python's too; they come back as Python's.
        return value.item() if isinstance(value, np.generic) else value
    if isinstance(value, np.ndarray | np.generic) and value.dtype.kind != "O":
        array = np.ascontiguousarray(value)
        name = str(len(tensors))
        # ml_dtypes' own kinds are all "V" to NumPy, which finds them by name.
        kind = array.dtype.name if array.dtype.kind == "V" else array.dtype.str
        tensors[name] = array.reshape(-1).view(np.uint8)
        return {"array": [name, kind, list(np.shape(value)), isinstance(value, np.generic)]}
    if isinstance(value, dict):
        return {"dict": [[packed(k, tensors), packed(v, tensors)] for k, v in value.items()]}
    if isinstance(value, list | tuple):
        kind = "list" if isinstance(value, list) else "tuple"
        return {kind: [packed(each, tensors) for each in value]}
    raise ModelError(
        f"the state of a {type(value).__name__} cannot be kept for a restart",
        hint="State is made of tensors, numbers, text, lists and dicts.",
    )


def unpacked(value: Any, file: ParameterFile) -> Any:
    """Return what `packed` was given; arrays are copies, which may be written to."""
    if not isinstance(value, dict):
        return value
    [(kind, held)] = value.items()
    if kind == "array":
        name, dtype, shape, scalar = held
        array = np.array(file.tensor(name)).view(np.dtype(dtype)).reshape(shape)
        return array[()] if scalar else array
    if kind == "dict":
        return {unpacked(k, file): unpacked(v, file) for k, v in held}
    each = [unpacked(one, file) for one in held]
    return each if kind == "list" else tuple(each)
