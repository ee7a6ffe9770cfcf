"""What each site's update was worth: Aumann-Shapley values along the merge path.

With base parameters W, updates u_i (differences from W), weights w_i (summing to 1), the merged
step D = Σ w_i·u_i and validation loss L, site i's share of the loss reduction L(W) − L(W+D) is

    phi_i = −w_i · ∫₀¹ ⟨∇L(W + s·D), u_i⟩ ds  ≈  −w_i · ⟨Σ_k q_k ∇L(W + s_k·D), u_i⟩

with Gauss-Legendre points s_k and weights q_k. This is the price that Aumann & Shapley (Values of
Non-Atomic Games, 1974) give every infinitesimal part of a game: the Shapley value in the limit of
sites cut into ever smaller ones.

Properties: efficient (Σ phi_i = L(W) − L(W+D), up to the quadrature's error, which is zero for
losses that are polynomials of degree 2n along the path, n points); symmetric (equal updates of
equal weight get equal scores); split-proof (cutting a site in parts, or merging sites, does not
change what they get together); additive in L; an update of zero gets zero.

Cost: n backward passes over the validation set (3 as a rule) and one dot product per site, instead
of the 2^N evaluations of the exact Shapley value.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from metering.errors import MeteringError
from metering.fixed import SCALE

Floats = npt.NDArray[np.floating[Any]]
Float64s = npt.NDArray[np.float64]

GAUSS_LEGENDRE: dict[int, tuple[tuple[float, float], ...]] = {
    3: (
        (0.1127016653792583, 0.2777777777777778),
        (0.5, 0.4444444444444444),
        (0.8872983346207417, 0.2777777777777778),
    ),
    5: (
        (0.0469100770306680, 0.1184634425280945),
        (0.2307653449471585, 0.2393143352496832),
        (0.5, 0.2844444444444444),
        (0.7692346550528415, 0.2393143352496832),
        (0.9530899229693320, 0.1184634425280945),
    ),
    7: (
        (0.0254460438286207, 0.0647424830844348),
        (0.1292344072003028, 0.1398526957446383),
        (0.2970774243113014, 0.1909150252525595),
        (0.5, 0.2089795918367347),
        (0.7029225756886986, 0.1909150252525595),
        (0.8707655927996972, 0.1398526957446383),
        (0.9745539561713793, 0.0647424830844348),
    ),
}
"""Points and weights (s_k, q_k) on [0, 1], by the number of points; exact to degree 2n − 1."""

BLOCK = 1 << 16  # elements summed at a time; part of the definition of `block_dot`

_LEAST_CHANGE = 1e-4  # of the loss before


def scores(weights: Sequence[float], dots: Sequence[float]) -> tuple[float, ...]:
    """Return phi_i = −w_i·dot_i, with the weights scaled to sum to 1.

    Args:
        weights: one a site, positive; the same as in the merge.
        dots: ⟨Σ_k q_k ∇L(W + s_k·D), u_i⟩ of each site, from `block_dot`.
    """
    if len(weights) != len(dots):
        raise MeteringError(f"{len(weights)} weights for {len(dots)} updates")
    if not all(math.isfinite(weight) and weight > 0 for weight in weights):
        raise MeteringError(f"weights must be positive numbers, got {list(weights)}")
    total = math.fsum(weights)
    return tuple(-weight / total * dot for weight, dot in zip(weights, dots, strict=True))


def efficiency_gap(phi: Sequence[float], loss_before: float, loss_after: float) -> float:
    """Return |Σ phi_i − (loss_before − loss_after)| relative to the change of the loss.

    Above 0.01, measure again with more points. A change below 1e-4 of the loss counts as that:
    0.01 of it is what evaluation in float32 can tell apart, and more points would not.
    """
    change = loss_before - loss_after
    scale = max(abs(change), _LEAST_CHANGE * abs(loss_before), 1 / SCALE)
    return abs(math.fsum(phi) - change) / scale


def block_dot(a: Floats, b: Floats) -> float:
    """Return ⟨a, b⟩ of two arrays of equal length, with the same bits on every machine.

    Products are float64; each block of `BLOCK` elements is summed by `halving_sum`, the block sums
    by `math.fsum`. No BLAS, no library reduction: their order depends on the processor.
    """
    if a.shape != b.shape or a.ndim != 1:
        raise MeteringError(f"cannot multiply shapes {a.shape} and {b.shape}")
    space = np.empty(BLOCK)
    partials = []
    for start in range(0, len(a), BLOCK):
        products = space[: min(BLOCK, len(a) - start)]
        np.copyto(products, a[start : start + BLOCK])
        np.multiply(products, b[start : start + BLOCK], out=products)
        partials.append(halving_sum(products))
    return math.fsum(partials)


def halving_sum(values: Float64s) -> float:
    """Add up a float64 array by adding its upper half to its lower half until one is left.

    Overwrites `values`. Elementwise additions only, so the order of all additions is fixed by the
    length; the rounding error grows with its logarithm. An odd element waits for the next pass.
    """
    length = len(values)
    while length > 1:
        half = length // 2
        lower, upper = values[:half], values[length - half : length]
        np.add(lower, upper, out=lower)
        length -= half
    return float(values[0]) if length else 0.0
