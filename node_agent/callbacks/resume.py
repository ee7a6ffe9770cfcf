"""Lets a training process that was killed go on as if it had not been: the deterministic option.

Before each sync everything that decides what comes next, and is not in the model, is written
beside the agent's files: random generators, what the framework has besides the model (optimizer,
scheduler, gradient scaler), and how far the epoch is. The model itself comes with the merge. A
process that starts again loads the model that the agent hands it, takes up the state that belongs
to it, and goes through the epoch's batches up to where it was.

`Resume` is for any framework on NumPy; the others' are subclasses of it.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from node_agent.callbacks.errors import InvalidParameter, ModelError
from node_agent.callbacks.resume_files import Windows

Epoch = Iterable[Any] | Callable[[int], Iterable[Any]]
"""An epoch's batches: the same object every time, or a function of the epoch's number."""


class Resume:
    """Keeps the state of a deterministic training run over the end of its process.

    Args:
        state: what the script has of its own, in the same order after every start: whatever has
            `state_dict` and `load_state_dict`, and random generators of Python, NumPy and PyTorch.

    Raises:
        InvalidParameter: an object's state cannot be kept.
    """

    def __init__(self, state: Sequence[Any] = ()) -> None:
        self._own_generators = [each for each in state if is_generator(each)]
        self._objects = [each for each in state if not is_generator(each)]
        for each in self._objects:
            if not (hasattr(each, "state_dict") and hasattr(each, "load_state_dict")):
                raise InvalidParameter(
                    f"state holds {each!r}, whose state cannot be kept",
                    hint="It takes optimizers, schedulers, scalers and random generators.",
                )
        self._windows: Windows | None = None
        self._first = True
        self._followed = False
        self.epoch, self._done, self._skip = 0, 0, 0
        self._epoch_start: Any = None
        self._now: Any = None

    # -- what the callback tells

    def joined(self, folder: Path) -> None:
        """Keep the files of this run in `folder`."""
        self._windows = Windows(folder)
        if self._windows.last < 0:
            self._windows.save("", self._tree())

    def syncing(self, base: str) -> None:
        """Write the state at the end of a window that was trained from `base`.

        Raises:
            ModelError: nobody knows where in the epoch the script is.
        """
        assert self._windows is not None, "joined comes first"
        if not self._followed:
            raise ModelError(
                "deterministic is set, but nobody can tell which of the epoch's batches were used",
                hint="Take epochs from swarm.epochs(...) and batches from swarm.batches(...).",
            )
        self._windows.save(base, self._tree())

    def loaded(self, base: str) -> None:
        """Note which model follows the last window; after a start, take up the state before it."""
        assert self._windows is not None, "joined comes first"
        if self._first:
            self._first = False
            self._restore(self._windows.back_to(base))
        self._windows.followed(base)

    # -- the loop

    def start_epoch(self, epoch: int) -> None:
        """Count epochs; the batches of one that was begun before are gone through once more."""
        if epoch != self.epoch:
            self.epoch, self._done, self._skip = epoch, 0, 0
        elif not self._skip:
            self._done = 0

    def batches(self, data: Epoch) -> Iterator[Any]:
        """Yield the batches of an epoch that were not trained on yet."""
        self._followed = True
        skip, self._skip = self._skip, 0
        if skip:
            self._set_randomness(self._epoch_start)
        else:
            self._epoch_start = self._randomness()
        batches = iter(data(self.epoch) if callable(data) else data)
        for _ in range(skip):
            if next(batches, self) is self:
                raise ModelError(
                    f"the epoch has fewer batches than the {skip} that were trained on before",
                    hint="After every start the script has to go through the same data.",
                )
        if skip:
            self._set_randomness(self._now)
        self._done = skip
        for batch in batches:
            self._done += 1
            yield batch

    # -- what is kept

    def _kept(self) -> Any:
        """What decides what comes next, besides the model and random numbers."""
        return [each.state_dict() for each in self._objects]

    def _take_up(self, kept: Any) -> None:
        """Put back what `_kept` has returned.

        Raises:
            ModelError: it is of other objects.
        """
        if len(kept) != len(self._objects):
            raise ModelError(
                f"the state of {len(kept)} objects was kept, but state has {len(self._objects)}",
                hint="Pass the same objects after every start, or delete the resume folder that "
                "the node agent has beside its files.",
            )
        for each, its in zip(self._objects, kept, strict=True):
            each.load_state_dict(its)

    def _randomness(self) -> dict[str, Any]:
        return {
            "python": _generator_state(random),
            "numpy": np.random.get_state(),
            "generators": [_generator_state(each) for each in self._own_generators],
        }

    def _set_randomness(self, kept: dict[str, Any]) -> None:
        _set_generator(random, kept["python"])
        np.random.set_state(kept["numpy"])
        for each, state in zip(self._own_generators, kept["generators"], strict=True):
            _set_generator(each, state)

    def _tree(self) -> dict[str, Any]:
        return {
            "epoch": self.epoch,
            "done": self._done,
            "start": self._epoch_start,
            "now": self._randomness(),
            "kept": self._kept(),
        }

    def _restore(self, tree: dict[str, Any]) -> None:
        self._take_up(tree["kept"])
        self.epoch, self._done = tree["epoch"], tree["done"]
        self._skip, self._epoch_start, self._now = self._done, tree["start"], tree["now"]
        if not self._skip:
            self._set_randomness(self._now)


def is_generator(value: Any) -> bool:
    """Is it a source of random numbers, whose state can be told and set?"""
    return isinstance(value, random.Random | np.random.Generator) or (
        hasattr(value, "get_state") and hasattr(value, "set_state")
    )


def _generator_state(each: Any) -> Any:
    if isinstance(each, np.random.Generator):
        return each.bit_generator.state
    if hasattr(each, "get_state"):
        return each.get_state()
    version, words, gauss = each.getstate()
    return version, np.array(words, np.uint64), gauss


def _set_generator(each: Any, state: Any) -> None:
    if isinstance(each, np.random.Generator):
        each.bit_generator.state = state
    elif hasattr(each, "get_state"):
        each.set_state(state)
    else:
        version, words, gauss = state
        each.setstate((version, tuple(int(word) for word in words), gauss))
