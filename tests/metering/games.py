"""Games whose values are in textbooks."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

Worth = Callable[[frozenset[int]], float]


def glove(left: int) -> Worth:
    """The first `left` players own a left glove, the others a right one; pairs are worth 1."""
    return lambda coalition: min(
        sum(player < left for player in coalition), sum(player >= left for player in coalition)
    )


def airport(costs: Sequence[float]) -> Worth:
    """A runway costs as much as its longest user needs."""
    return lambda coalition: max((costs[player] for player in coalition), default=0)


def voting(quota: int, votes: Sequence[int]) -> Worth:
    return lambda coalition: float(sum(votes[player] for player in coalition) >= quota)


def bankruptcy(estate: float, claims: Sequence[float]) -> Worth:
    """What a coalition is left with once all others are paid in full."""
    return lambda coalition: max(
        0.0, estate - sum(claim for player, claim in enumerate(claims) if player not in coalition)
    )


def unanimity(needed: set[int]) -> Worth:
    return lambda coalition: float(needed <= coalition)


def listed(worths: Sequence[float]) -> Worth:
    """Three players: v(1), v(2), v(3), v(12), v(13), v(23), v(123)."""
    masks = (1, 2, 4, 3, 5, 6, 7)
    by_mask = dict(zip(masks, worths, strict=True)) | {0: 0.0}
    return lambda coalition: by_mask[sum(1 << player for player in coalition)]


def pairwise(alone: Sequence[float], together: Mapping[tuple[int, int], float]) -> Worth:
    """2-additive: what each is worth alone, and what each pair adds or spoils."""
    return lambda coalition: (
        sum(alone[player] for player in coalition)
        + sum(extra for (one, other), extra in together.items() if {one, other} <= coalition)
    )
