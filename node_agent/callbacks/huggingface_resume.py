"""The deterministic option for the Trainer of Hugging Face.

The Trainer goes on in the middle of an epoch only from a checkpoint of its own, so `checkpoint`
makes one: the swarm's model, and `trainer_state.json` from the end of the last window. What a
checkpoint keeps besides as pickles (optimizer, scheduler, scaler, random generators) comes from the
files of the deterministic option.

The Trainer fetches batches ahead, so data may not draw from the generators that dropout draws from.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from accelerate.data_loader import (  # type: ignore[import-untyped]  # it has no types
    SeedableRandomSampler,
    get_sampler,
)
from torch.utils.data import SequentialSampler

from node_agent.callbacks.errors import InvalidParameter, ModelError
from node_agent.callbacks.pytorch_resume import TorchResume, as_arrays, as_tensors
from node_agent.callbacks.resume_files import digest


class TrainerResume(TorchResume):
    """As `TorchResume`; the Trainer's own state, optimizer, scheduler and scaler are known."""

    def __init__(self, state: Sequence[Any] = ()) -> None:
        super().__init__(state)
        self._followed = True  # by the Trainer, in steps
        self._trainer_state: Any = None
        self._tree_to_take_up: dict[str, Any] | None = None
        self._own_objects = list(self._objects)
        self._folder = Path()

    def joined(self, folder: Path) -> None:
        self._folder = folder
        super().joined(folder)

    def checkpoint(self, model: Any) -> str | None:
        """Write where the Trainer goes on; None before the first window.

        Raises:
            ModelError: the model cannot be written as the Trainer reads it.
        """
        tree = self._tree_to_take_up
        if tree is None or tree["kept"]["trainer"] is None:
            return None
        if not hasattr(model, "save_pretrained"):
            raise ModelError(
                f"a {type(model).__name__} has no save_pretrained, so the Trainer cannot go on "
                "from a checkpoint of it",
                hint="Train a PreTrainedModel or one of peft's, or leave deterministic out.",
            )
        folder = self._folder / "checkpoint"
        model.save_pretrained(folder)
        (folder / "trainer_state.json").write_text(tree["kept"]["trainer"])
        return str(folder)

    def begin(self, args: Any, state: Any, loader: Any, objects: Sequence[Any]) -> None:
        """Take up what was kept, now that the Trainer has made its objects.

        Raises:
            InvalidParameter: the Trainer's arguments or data do not let it go on exactly.
            ModelError: `train` was not told where to go on.
        """
        self._check_arguments(args)
        self._check_data(loader)
        self._objects = [*self._own_objects, *(each for each in objects if each is not None)]
        tree, self._tree_to_take_up = self._tree_to_take_up, None
        if tree is None:
            return
        before = json.loads(tree["kept"]["trainer"] or "{}").get("global_step", 0)
        if before != state.global_step:
            raise ModelError(
                f"this site trained {before} steps before it was killed, and the Trainer begins "
                f"after {state.global_step}",
                hint="trainer.train(resume_from_checkpoint=swarm.checkpoint(trainer))",
            )
        if before:
            super()._take_up(tree["kept"]["objects"])
        self._now = tree["now"]

    def step_begins(self) -> None:
        """Begin each window with the random numbers that were kept, in every process."""
        if self._now is not None:
            self._set_randomness(self._now)
            self._now = None

    def step_ended(self, state: Any) -> None:
        """Note the Trainer's own state."""
        self._trainer_state = state

    def _kept(self) -> Any:
        state = self._trainer_state
        return {
            "trainer": None if state is None else json.dumps(dataclasses.asdict(state)),
            "objects": super()._kept(),
        }

    def _tree(self) -> dict[str, Any]:
        self._now = self._randomness()
        return super()._tree()

    def _restore(self, tree: dict[str, Any]) -> None:
        self._tree_to_take_up = as_tensors(tree)

    def _check_arguments(self, args: Any) -> None:
        for name, wanted in (("world_size", 1), ("ignore_data_skip", False)):
            if getattr(args, name) != wanted:
                raise InvalidParameter(
                    f"deterministic is set, and {name} is {getattr(args, name)}",
                    hint=f"A restart is exact only with {name} {wanted}.",
                )

    def _check_data(self, loader: Any) -> None:
        sampler = get_sampler(loader)
        if not isinstance(sampler, SequentialSampler | SeedableRandomSampler):
            raise InvalidParameter(
                f"deterministic is set, but the order of a {type(sampler).__name__} is lost in a "
                "restart",
                hint="Pass a data set with a length, and keep the Trainer's own sampler, whose "
                "order data_seed and the epoch decide.",
            )
        before = digest(as_arrays(self._randomness()))
        rows = range(min(len(loader.dataset), 8))
        first, second = (loader.collate_fn([loader.dataset[row] for row in rows]) for _ in "ab")
        drawn = before != digest(as_arrays(self._randomness()))
        if drawn or digest(as_arrays(dict(first))) != digest(as_arrays(dict(second))):
            raise InvalidParameter(
                "deterministic is set, but the data set or its collator draws random numbers, "
                "which the Trainer fetches ahead, so that a restart would not be exact",
                hint="Draw them before training, or from a generator seeded by the row.",
            )


def scaler_of(optimizer: Any) -> Any:
    """Return the gradient scaler that accelerate has put into an optimizer, or None."""
    scaler = getattr(optimizer, "scaler", None)
    return scaler if isinstance(scaler, torch.amp.GradScaler) else None
