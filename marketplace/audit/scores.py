"""What every organization's work in a round was worth, measured as node agents do it.

By the gradient along the merge path where the merge has coefficients; by the losses of coalitions
(2N) under the other merge rules, and where the measurement tells no gradient.
"""

from __future__ import annotations

import math
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Protocol

from metering import split
from metering.contribution import (
    GAP_LIMIT,
    GAUSS_LEGENDRE,
    efficiency_gap,
    measured_coalitions,
    scores_of_losses,
)
from node_agent.merge.coalition import Whole, merge_coalition
from node_agent.parameters.format import ParameterFile
from node_agent.scoring import dots


class Measured(Protocol):
    """What a measurement gives: losses as means over the agreed set, and the metric."""

    @property
    def loss_before(self) -> float: ...
    @property
    def loss_after(self) -> float: ...
    @property
    def metric(self) -> float: ...


Measure = Callable[[Path, Path, Sequence[tuple[float, float]], Path | None], Measured]
"""measure(base, merged, points, gradient): as a training process does it for its agent.

Losses of both models on the agreed validation set; to `gradient`, if it is not None, a parameter
file with Σ q_k ∇L(W + s_k·D) of the given points (s_k, q_k). No file: it has no gradients.
"""


def organization_scores(
    measure: Measure, whole: Whole, merged: Path, metadata: Mapping[str, str]
) -> tuple[Measured, dict[int, float] | None]:
    """Measure a merge and score it.

    Args:
        measure: the auditor's.
        whole: what was merged.
        merged: the model that came of it.
        metadata: for the headers of what coalitions would have merged.

    Returns:
        The measurement, and party to score; None where losses or scores are no finite numbers.

    Raises:
        NodeError: a gradient of other shapes, or updates that are no merge alone.
    """
    with tempfile.TemporaryDirectory(prefix="swarm-audit-") as scratch:
        found = None
        if whole.coefficients is not None:
            found = _by_gradient(measure, whole, merged, Path(scratch) / "gradient.safetensors")
        return found or _by_losses(
            measure, whole, merged, metadata, Path(scratch) / "coalition.safetensors"
        )


def _by_gradient(
    measure: Measure, whole: Whole, merged: Path, gradient: Path
) -> tuple[Measured, dict[int, float] | None] | None:
    """Aumann-Shapley: three points, five or seven where they miss by more than 1 %.

    None where there is no gradient.
    """
    updates = [ParameterFile.open(path) for path in whole.files]
    for _, points in sorted(GAUSS_LEGENDRE.items()):
        measured = measure(whole.base, merged, points, gradient)
        if not math.isfinite(measured.loss_before - measured.loss_after):
            return measured, None
        if not gradient.exists():
            return None
        products = dots(ParameterFile.open(gradient), ParameterFile.open(whole.base), updates)
        coefficients = whole.coefficients or ()
        phi = [-float(c) * dot for c, dot in zip(coefficients, products, strict=True)]
        if not all(map(math.isfinite, phi)):
            return measured, None
        if efficiency_gap(phi, measured.loss_before, measured.loss_after) <= GAP_LIMIT:
            break
    return measured, split.organization_scores(phi, whole.parties)


def _by_losses(
    measure: Measure, whole: Whole, merged: Path, metadata: Mapping[str, str], scratch: Path
) -> tuple[Measured, dict[int, float] | None]:
    measured = measure(whole.base, merged, (), None)
    if not math.isfinite(measured.loss_before - measured.loss_after):
        return measured, None
    losses = {}
    for coalition in measured_coalitions(len(whole.players)):
        merge_coalition(whole, coalition, scratch, metadata)
        losses[coalition] = measure(scratch, scratch, (), None).loss_after
    phi = scores_of_losses(measured.loss_before, measured.loss_after, losses, len(whole.players))
    return measured, dict(zip(whole.players, phi, strict=True))
