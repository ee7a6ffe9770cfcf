"""What the callback reports of a merge: two losses and a metric that can be agreed on."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from node_agent.callbacks.errors import EvaluationError

# A merge can be so bad that its loss is huge or no number at all, and one site can make it so. That
# must not stop the others: it is reported as this, which is worse than any loss worth training for
# and small enough for the contract's fixed point.
WORST_LOSS = 1e9
NOTHING_MEASURED: dict[str, float | None] = {
    "loss_before": None,
    "loss_after": None,
    "metric": None,
}
GRADIENT_METADATA = {"format": "swarm-1", "kind": "gradient"}


@dataclass(frozen=True, slots=True)
class Measured:
    """Mean losses over the validation data, before (at the base) and after (merged), and metric.

    `row_losses` are the same two losses over the data that the gradient was measured on, where
    that are others: what a site judges others by under `local`.
    """

    loss_before: float
    loss_after: float
    metric: float
    row_losses: tuple[float, float] | None = None

    def to_json(self) -> dict[str, Any]:
        row = self.row_losses
        return {
            "loss_before": reportable_loss(self.loss_before),
            "loss_after": reportable_loss(self.loss_after),
            "metric": self.metric if math.isfinite(self.metric) else 0.0,
        } | ({"row_losses": [reportable_loss(loss) for loss in row]} if row else {})


def reportable_loss(loss: float) -> float:
    """Return the loss, or WORST_LOSS when it is larger or no number.

    Raises:
        EvaluationError: it is negative.
    """
    if loss < 0:
        raise EvaluationError(
            f"the validation loss is {loss}, below zero",
            hint="Shares and progress are counted from losses that cannot fall below zero: choose "
            "such a lossFunction, for example CrossEntropyLoss or MSELoss.",
        )
    return min(loss, WORST_LOSS) if math.isfinite(loss) else WORST_LOSS
