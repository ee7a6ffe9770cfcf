"""How many batches until the next sync, where the terms let it adapt to progress.

With τ₀ batches at first, L₀ the initial and L the last sealed loss,

    τ = ⌈τ₀ · √(L / L₀)⌉, at least ⌈τ₀ / 8⌉ and at most τ₀

Source: AdaComm's basic rule, in Wang & Joshi, Adaptive communication strategies to achieve the
best error-runtime trade-off in local-update SGD, MLSys 2019: far from the optimum rare syncs cost
little, near it they cost accuracy. Whole numbers from the chain decide: every node decides alike.

Under local metering no loss is sealed that all agree on: τ stays τ₀.
"""

from __future__ import annotations

from math import isqrt

ADAPTIVE = 1 << 31
"""Added to `syncFrequency` in the terms of a run whose sync frequency adapts."""
_FLOOR = 8  # of τ₀, the least


def first_batches(sync_frequency: int) -> int:
    """τ₀: the terms' `syncFrequency` without the flag."""
    return sync_frequency & ~ADAPTIVE


def adapts(sync_frequency: int) -> bool:
    """Does the frequency adapt?"""
    return bool(sync_frequency & ADAPTIVE)


def batches(sync_frequency: int, initial_loss_e9: int, last_loss_e9: int) -> int:
    """τ: batches to train before the next sync.

    Args:
        sync_frequency: as in the terms.
        initial_loss_e9: L₀ in 1e-9; zero while it is not known.
        last_loss_e9: L in 1e-9; zero where none is sealed.
    """
    first = first_batches(sync_frequency)
    if not adapts(sync_frequency) or not 0 < last_loss_e9 < initial_loss_e9:
        return first
    least = -(-first // _FLOOR)
    return max(least, isqrt((first * first * last_loss_e9 - 1) // initial_loss_e9) + 1)
