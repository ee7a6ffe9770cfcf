"""The exact Shapley value gives the textbook answers."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from metering.errors import MeteringError
from metering.shapley import exact_shapley

Game = Callable[[frozenset[int]], float]


def glove(left: int) -> Game:
    """The first `left` players own a left glove, the others a right one; pairs are worth 1."""
    return lambda coalition: min(
        sum(player < left for player in coalition), sum(player >= left for player in coalition)
    )


def airport(lengths: tuple[float, ...]) -> Game:
    """A runway costs as much as its longest user needs."""
    return lambda coalition: max((lengths[player] for player in coalition), default=0)


def voting(quota: int, votes: tuple[int, ...]) -> Game:
    return lambda coalition: float(sum(votes[player] for player in coalition) >= quota)


def bankruptcy(estate: float, claims: tuple[float, ...]) -> Game:
    """What a coalition is left with once all others are paid in full."""
    return lambda coalition: max(
        0.0, estate - sum(claim for player, claim in enumerate(claims) if player not in coalition)
    )


@pytest.mark.parametrize(
    ("game", "expected"),
    [
        (glove(left=1), (2 / 3, 1 / 6, 1 / 6)),
        (glove(left=2), (0.65, 0.65, 0.7 / 3, 0.7 / 3, 0.7 / 3)),
        (airport((1, 2, 3)), (1 / 3, 5 / 6, 11 / 6)),
        (voting(51, (45, 25, 15, 15)), (1 / 2, 1 / 6, 1 / 6, 1 / 6)),
        (bankruptcy(200, (100, 200, 300)), (100 / 3, 250 / 3, 250 / 3)),
        (lambda coalition: float({0, 1} <= coalition), (1 / 2, 1 / 2, 0, 0)),
    ],
    ids=["glove 1|2", "glove 2|3", "airport", "voting", "bankruptcy", "unanimity"],
)
def test_known_games_have_their_known_values(game: Game, expected: tuple[float, ...]) -> None:
    np.testing.assert_allclose(exact_shapley(game, len(expected)), expected, atol=1e-12)


def test_a_game_without_players_pays_nobody() -> None:
    assert exact_shapley(lambda _: 0.0, 0).shape == (0,)


def test_a_game_too_large_to_enumerate_is_refused() -> None:
    with pytest.raises(MeteringError, match="17 players"):
        exact_shapley(lambda _: 0.0, 17)
