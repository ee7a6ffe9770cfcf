"""Values of games: the textbooks' answers, and what holds in every game."""

from __future__ import annotations

import math
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from metering.contribution import (
    FunctionGame,
    banzhaf,
    complementary,
    exact_shapley,
    leave_one_out,
    shapley_of_kinds,
    two_n,
)
from metering.errors import MeteringError
from tests.metering.games import (
    Worth,
    airport,
    bankruptcy,
    glove,
    listed,
    pairwise,
    unanimity,
    voting,
)

CASTRO_COUNTS = (8, 12, 6, 14, 8, 9, 13, 10, 10, 10)
CASTRO_VALUES = (
    0.01,
    0.020869565,
    0.033369565,
    0.046883079,
    0.063549745,
    0.082780515,
    0.106036329,
    0.139369662,
    0.189369662,
    0.289369662,
)


@pytest.mark.parametrize(
    ("game", "expected"),
    [
        (glove(left=1), (2 / 3, 1 / 6, 1 / 6)),
        (glove(left=2), (0.65, 0.65, 0.7 / 3, 0.7 / 3, 0.7 / 3)),
        (airport((1, 2, 3)), (1 / 3, 5 / 6, 11 / 6)),
        (airport((2, 4, 8)), (2 / 3, 5 / 3, 17 / 3)),
        (voting(51, (45, 25, 15, 15)), (1 / 2, 1 / 6, 1 / 6, 1 / 6)),
        (bankruptcy(200, (100, 200, 300)), (100 / 3, 250 / 3, 250 / 3)),
        (unanimity({0, 1}), (1 / 2, 1 / 2, 0, 0)),
        (listed((40, 60, 80, 70, 75, 85, 90)), (95 / 6, 185 / 6, 130 / 3)),
    ],
    ids=[
        "glove 1|2",
        "glove 2|3",
        "airport 1, 2, 3",
        "airport 2, 4, 8",
        "voting",
        "bankruptcy",
        "unanimity",
        "listed",
    ],
)
def test_known_games_have_their_known_values(game: Worth, expected: tuple[float, ...]) -> None:
    n = len(expected)
    np.testing.assert_allclose(exact_shapley(game, n), expected, atol=1e-12)
    enough = complementary(FunctionGame(game, n), budget=1 << n, seed=1)
    np.testing.assert_allclose(enough, expected, atol=1e-12)


def test_castros_airport_with_100_planes_has_its_known_values() -> None:
    per_plane = shapley_of_kinds(airport(range(1, 11)), CASTRO_COUNTS)
    np.testing.assert_allclose(per_plane, CASTRO_VALUES, rtol=0, atol=6e-10)
    assert per_plane @ CASTRO_COUNTS == pytest.approx(10, rel=1e-12)


def test_sampling_castros_airport_comes_close_and_2n_does_not() -> None:
    costs = np.repeat(range(1, 11), CASTRO_COUNTS)
    exact = np.repeat(CASTRO_VALUES, CASTRO_COUNTS)
    game = FunctionGame(airport(costs.tolist()), 100)

    def misallocated(phi: np.ndarray) -> float:
        assert phi.sum() == pytest.approx(10)
        return float(np.abs(phi - exact).sum() / 2 / 10)

    first_and_last = misallocated(two_n(game))
    sampled = misallocated(complementary(game, 4_000, seed=3))
    assert first_and_last > 0.3
    assert sampled < first_and_last / 3


@given(st.lists(st.integers(1, 3), min_size=1, max_size=4), st.data())
def test_kinds_get_what_their_players_get_one_by_one(counts: list[int], data) -> None:
    worths = data.draw(
        st.lists(st.integers(-9, 9), min_size=1 << len(counts), max_size=1 << len(counts))
    )
    kind_of = [kind for kind, count in enumerate(counts) for _ in range(count)]

    def worth(kinds: frozenset[int]) -> float:
        return float(worths[sum(1 << kind for kind in kinds)])

    def of_players(coalition: frozenset[int]) -> float:
        return worth(frozenset(kind_of[player] for player in coalition))

    one_by_one = exact_shapley(of_players, len(kind_of))
    expected = [one_by_one[kind_of.index(kind)] for kind in range(len(counts))]
    np.testing.assert_allclose(shapley_of_kinds(worth, counts), expected, atol=1e-10)


@st.composite
def pair_games(draw: st.DrawFn) -> tuple[Worth, int]:
    n = draw(st.integers(1, 6))
    number = st.integers(-1000, 1000)
    alone = draw(st.lists(number, min_size=n, max_size=n))
    together = {pair: draw(number) for pair in combinations(range(n), 2)}
    constant = draw(number)
    game = pairwise(alone, together)
    return lambda coalition: constant + game(coalition), n


@given(pair_games())
def test_2n_is_exact_on_every_2_additive_game(drawn: tuple[Worth, int]) -> None:
    game, n = drawn
    np.testing.assert_allclose(two_n(FunctionGame(game, n)), exact_shapley(game, n), atol=1e-9)


@given(pair_games(), st.integers(0, 70), st.integers(0, 9))
def test_sampling_is_exact_on_every_2_additive_game_whatever_the_budget(
    drawn: tuple[Worth, int], budget: int, seed: int
) -> None:
    game, n = drawn
    sampled = complementary(FunctionGame(game, n), budget, seed)
    np.testing.assert_allclose(sampled, exact_shapley(game, n), atol=1e-8)


def test_2n_is_not_exact_when_three_must_come_together() -> None:
    game = FunctionGame(unanimity({0, 1, 2}), 4)
    assert np.abs(two_n(game) - [1 / 3, 1 / 3, 1 / 3, 0]).max() > 0.01


def random_game(n: int, seed: int) -> FunctionGame:
    worths = np.random.default_rng(seed).standard_normal(1 << n)
    return FunctionGame(lambda s: float(worths[sum(1 << player for player in s)]), n)


@pytest.mark.parametrize("seed", range(5))
def test_a_larger_budget_samples_better_and_all_of_it_is_exact(seed: int) -> None:
    n = 8
    game = random_game(n, seed)
    exact = exact_shapley(game.value, n)

    def error(budget: int) -> float:
        return float(
            np.mean([np.abs(complementary(game, budget, draw) - exact).sum() for draw in range(30)])
        )

    assert error(2 * n + 2) > error(60) > error(240) > error(256) == 0


def test_sampling_asks_for_no_more_than_its_budget() -> None:
    asked = []
    game = random_game(7, 1)

    def counted(coalition: frozenset[int]) -> float:
        asked.append(coalition)
        return game.value(coalition)

    for budget in (16, 17, 40, 127):
        asked.clear()
        complementary(FunctionGame(counted, 7), budget, seed=2)
        assert 16 <= len(asked) <= budget


def test_sampling_follows_its_seed_and_nothing_else() -> None:
    game = random_game(7, 1)
    once, again, other = (complementary(game, 60, seed).tobytes() for seed in (5, 5, 6))
    assert once == again != other


@given(st.integers(1, 6), st.integers(0, 10**6))
def test_exact_values_are_efficient_and_equivariant(n: int, seed: int) -> None:
    game = random_game(n, seed)
    phi = exact_shapley(game.value, n)
    change = game.value(frozenset(range(n))) - game.value(frozenset())
    assert math.fsum(phi) == pytest.approx(change, abs=1e-12)
    order = np.random.default_rng(seed).permutation(n).tolist()
    renumbered = exact_shapley(lambda s: game.value(frozenset(order[i] for i in s)), n)
    np.testing.assert_allclose(renumbered, phi[order], atol=1e-12)


def test_banzhaf_counts_swings_and_leave_one_out_what_is_missed() -> None:
    # With 51 of 100 votes needed, the largest swings in 6 of 8, the others in 2 of 8.
    game = FunctionGame(voting(51, (45, 25, 15, 15)), 4)
    np.testing.assert_allclose(banzhaf(game), (6 / 8, 2 / 8, 2 / 8, 2 / 8), atol=1e-15)
    # Every three of them win, and one of two equal ones is enough: nobody is missed.
    np.testing.assert_allclose(leave_one_out(game), (0, 0, 0, 0))
    np.testing.assert_allclose(leave_one_out(FunctionGame(airport((3, 3)), 2)), (0, 0))


@pytest.mark.parametrize("n", [0, 1])
def test_games_of_nobody_and_of_one_are_games(n: int) -> None:
    game = FunctionGame(lambda coalition: 2.0 + 3.0 * len(coalition), n)
    for phi in (
        exact_shapley(game.value, n),
        banzhaf(game),
        leave_one_out(game),
        two_n(game),
        complementary(game, 100, seed=1),
    ):
        np.testing.assert_allclose(phi, [3.0] * n)


def test_games_too_large_to_enumerate_are_refused() -> None:
    with pytest.raises(MeteringError, match="17 players"):
        exact_shapley(lambda _: 0.0, 17)
    with pytest.raises(MeteringError, match="12 kinds"):
        shapley_of_kinds(lambda _: 0.0, [1] * 13)
    with pytest.raises(MeteringError, match="1 player of each"):
        shapley_of_kinds(lambda _: 0.0, [3, 0])
