"""Aumann-Shapley scores of a model that is really trained; its promises: test_methods.py."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from metering.contribution import METHODS, RoundGame, exact_shapley
from metering.errors import MeteringError
from metering.split import metered_bips
from tests.metering.federation import FEATURES, Data, draw, loss, round_of, train

aumann_shapley = METHODS["aumann-shapley"]

FORWARD_AND_BACKWARD, LOSSES = 3, 2


@pytest.fixture(scope="module")
def validation() -> Data:
    return draw(np.random.default_rng(99), 4000)


@pytest.fixture(scope="module")
def sites() -> list[Data]:
    rng = np.random.default_rng(5)
    return [draw(rng, samples) for samples in (400, 150, 80, 250)] + [draw(rng, 200, flipped=0.45)]


BASES = {"the start": np.zeros(FEATURES + 1), "halfway": np.full(FEATURES + 1, 0.2)}


@pytest.mark.parametrize("base", BASES.values(), ids=BASES)
@pytest.mark.parametrize("steps", [1, 8, 30])
def test_three_points_add_up_to_the_loss_reduction_within_one_percent(
    base: np.ndarray, steps: int, sites: list[Data], validation: Data
) -> None:
    updates = [train(base, data, steps) for data in sites]
    scores = aumann_shapley(round_of(base, updates, validation))
    change = loss(base, validation) - loss(base + sum(updates) / 5, validation)
    assert scores.phi.sum() == pytest.approx(change, rel=0.01)
    assert scores.gap < 0.01
    assert scores.passes == LOSSES + 3 * FORWARD_AND_BACKWARD


@pytest.mark.parametrize(("reach", "points"), [(1, 3), (20, 3 + 5), (60, 3 + 5 + 7)])
def test_more_points_are_taken_until_the_gap_is_closed(
    reach: int, points: int, sites: list[Data], validation: Data
) -> None:
    base = BASES["the start"]
    updates = [reach * train(base, data, 8) for data in sites]
    scores = aumann_shapley(round_of(base, updates, validation))
    assert scores.passes == LOSSES + points * FORWARD_AND_BACKWARD
    assert scores.gap < 0.01 or points == 3 + 5 + 7


def test_without_gradients_there_is_the_2n_method(sites: list[Data], validation: Data) -> None:
    base = BASES["the start"]
    blind = replace(
        round_of(base, [train(base, data, 8) for data in sites], validation), gradient=None
    )
    with pytest.raises(MeteringError) as refusal:
        aumann_shapley(blind)
    assert "two-n" in refusal.value.hint
    assert METHODS["two-n"](blind).gap < 1e-9


def test_a_site_that_undoes_the_others_work_is_not_paid(
    sites: list[Data], validation: Data
) -> None:
    base = BASES["the start"]
    updates = [train(base, data, 8) for data in sites[:3]]
    updates[1] = -updates[0]
    phi = aumann_shapley(round_of(base, updates, validation)).phi
    assert phi[1] < 0
    assert metered_bips(phi.tolist())[1] == 0


@pytest.mark.parametrize("steps", [1, 5])
def test_scores_are_close_to_the_exact_shapley_value_of_the_same_merge(
    steps: int, sites: list[Data], validation: Data
) -> None:
    base = BASES["the start"]
    updates = [train(base, data, steps) for data in sites]
    merged = round_of(base, updates, validation, [4.0, 1.5, 0.8, 2.5, 2.0])
    game = RoundGame(merged)
    exact = exact_shapley(game.value, len(sites))
    everything = game.value(frozenset(range(len(sites))))
    assert np.abs(aumann_shapley(merged).phi - exact).max() < 0.01 * everything
