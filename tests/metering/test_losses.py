"""Scores of a merge by the losses of coalitions: what agents and audits share."""

from __future__ import annotations

from math import inf, nan

import numpy as np
import pytest

from metering.contribution import exact_shapley, measured_coalitions, scores_of_losses

BEFORE = 0.5


@pytest.mark.parametrize(("n", "count"), [(1, 0), (2, 2), (3, 6), (5, 10)])
def test_two_coalitions_a_player_are_measured_and_each_one_once(n: int, count: int) -> None:
    asked = measured_coalitions(n)
    assert len(asked) == len(set(asked)) == count
    assert {len(coalition) for coalition in asked} <= {1, n - 1}


def test_where_pairs_interact_and_no_more_scores_are_shapley_values() -> None:
    pairs = np.array([[0.04, 0.01, -0.02], [0.0, 0.06, 0.005], [0.0, 0.0, 0.02]])

    def loss(coalition: frozenset[int]) -> float:
        chosen = sorted(coalition)
        return BEFORE - float(pairs[np.ix_(chosen, chosen)].sum())

    losses = {coalition: loss(coalition) for coalition in measured_coalitions(3)}
    found = scores_of_losses(BEFORE, loss(frozenset(range(3))), losses, 3)
    np.testing.assert_allclose(found, exact_shapley(lambda s: BEFORE - loss(s), 3), atol=1e-12)


def test_alone_one_gets_what_was_gained() -> None:
    assert scores_of_losses(BEFORE, 0.4, {}, 1) == pytest.approx((0.1,))


@pytest.mark.parametrize("absurd", [nan, inf, -inf, 1e300])
def test_a_coalition_whose_loss_is_absurd_counts_as_one_that_doubles_the_loss(
    absurd: float,
) -> None:
    losses = dict.fromkeys(measured_coalitions(3), 0.45)
    losses[frozenset({2})] = absurd
    bounded = losses | {frozenset({2}): 2 * BEFORE}
    assert scores_of_losses(BEFORE, 0.4, losses, 3) == scores_of_losses(BEFORE, 0.4, bounded, 3)
