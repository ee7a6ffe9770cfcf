"""What a site has trained: since its last sync, and in all."""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(slots=True)
class Progress:
    """Counts batches, samples and epochs.

    A window reports how many *distinct* samples it was trained on, as far as that can be known
    here: sites must not send an update that a handful of samples could be read from, and going
    over them again and again does not make them more. Within an epoch every sample is seen once;
    across the epochs' borders no more than the largest epoch so far has.
    """

    steps: int = 0
    samples: int = 0
    losses: int = 0
    loss_sum: float = 0.0
    epochs_done: int = 0
    epoch_steps: int = 0
    epoch_samples: int = 0
    steps_per_epoch: int = 0
    samples_per_epoch: int = 0

    def batch(self, samples: int, loss: float | None, steps: int = 1) -> None:
        """Count a batch, or several; `loss` is the mean training loss, None when not told."""
        self.steps += steps
        self.samples += samples
        self.epoch_steps += steps
        self.epoch_samples += samples
        if loss is not None and math.isfinite(loss):
            self.losses += 1
            self.loss_sum += loss

    def epoch(self) -> None:
        """Count the end of an epoch."""
        self.epochs_done += 1
        self.steps_per_epoch = max(self.steps_per_epoch, self.epoch_steps)
        self.samples_per_epoch = max(self.samples_per_epoch, self.epoch_samples)
        self.epoch_steps = self.epoch_samples = 0

    @property
    def epochs(self) -> float:
        """Epochs done; with a fraction once an epoch has ended and its length is known."""
        if not self.steps_per_epoch:
            return float(self.epochs_done)
        return self.epochs_done + min(self.epoch_steps / self.steps_per_epoch, 1.0)

    def take_window(self) -> dict[str, int | float | None]:
        """Report what was trained since the last call, and start anew."""
        samples = min(self.samples, self.samples_per_epoch or self.samples)
        window: dict[str, int | float | None] = {
            "samples": samples,
            "steps": self.steps,
            "epochs": round(self.epochs, 3),
            "loss": self.loss_sum / self.losses if self.losses else None,
        }
        self.steps = self.samples = self.losses = 0
        self.loss_sum = 0.0
        return window


def bar(done: int, total: int, left_s: float | None, width: int = 20) -> str:
    """Draw progress in one line of plain text, fit for terminals and log files alike."""
    filled = min(width, width * done // total)
    drawn = f"[{'#' * filled}{'.' * (width - filled)}] {done} of {total} rounds"
    if left_s is None:
        return drawn
    minutes, seconds = divmod(round(left_s), 60)
    return f"{drawn}, at most {minutes}:{seconds:02d} left"
