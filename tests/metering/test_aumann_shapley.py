"""The promises of Aumann-Shapley scores hold on a model that is really trained."""

from __future__ import annotations

import numpy as np
import pytest

from metering.contribution import efficiency_gap
from metering.shapley import exact_shapley
from metering.split import metered_bips
from tests.metering.federation import FEATURES, Data, aumann_shapley, draw, loss, train


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
def test_scores_add_up_to_the_loss_reduction_within_one_percent(
    base: np.ndarray, steps: int, sites: list[Data], validation: Data
) -> None:
    updates = [train(base, data, steps) for data in sites]
    phi = aumann_shapley(base, updates, [1.0] * 5, validation)
    merged = base + sum(updates) / 5
    assert efficiency_gap(phi, loss(base, validation), loss(merged, validation)) < 0.01


def test_more_points_close_the_gap(sites: list[Data], validation: Data) -> None:
    base = BASES["the start"]
    updates = [20 * train(base, data, 8) for data in sites]  # far beyond a sensible step
    before, after = loss(base, validation), loss(base + sum(updates) / 5, validation)
    gaps = [
        efficiency_gap(aumann_shapley(base, updates, [1.0] * 5, validation, n), before, after)
        for n in (3, 5, 7)
    ]
    assert gaps[0] > gaps[1] > gaps[2]


def test_equal_updates_of_equal_weight_get_equal_scores(
    sites: list[Data], validation: Data
) -> None:
    base = BASES["the start"]
    twin = train(base, sites[0], 8)
    other = train(base, sites[1], 8)
    first, _, second = aumann_shapley(base, [twin, other, twin.copy()], [2.0, 1.0, 2.0], validation)
    assert first == second


def test_a_site_cut_in_three_gets_what_it_got_as_one(sites: list[Data], validation: Data) -> None:
    base = BASES["the start"]
    updates = [train(base, data, 8) for data in sites[:3]]
    whole = aumann_shapley(base, updates, [3.0, 1.0, 2.0], validation)
    parts = aumann_shapley(
        base, [updates[0]] * 3 + updates[1:], [0.5, 1.5, 1.0, 1.0, 2.0], validation
    )
    assert sum(parts[:3]) == pytest.approx(whole[0], rel=1e-12)
    assert parts[3:] == pytest.approx(whole[1:], rel=1e-12)


def test_a_site_that_sends_nothing_new_gets_nothing(sites: list[Data], validation: Data) -> None:
    base = BASES["the start"]
    updates = [train(base, sites[0], 8), np.zeros_like(base), train(base, sites[1], 8)]
    phi = aumann_shapley(base, updates, [1.0] * 3, validation)
    assert phi[1] == 0
    assert metered_bips(phi)[1] == 0


def test_a_site_that_undoes_the_others_work_is_not_paid(
    sites: list[Data], validation: Data
) -> None:
    base = BASES["the start"]
    updates = [train(base, data, 8) for data in sites[:3]]
    updates[1] = -updates[0]
    phi = aumann_shapley(base, updates, [1.0] * 3, validation)
    assert phi[1] < 0
    assert metered_bips(phi)[1] == 0


@pytest.mark.parametrize("steps", [1, 5])
def test_scores_are_close_to_the_exact_shapley_value_of_the_same_merge(
    steps: int, sites: list[Data], validation: Data
) -> None:
    base = BASES["the start"]
    updates = [train(base, data, steps) for data in sites]
    weights = [4.0, 1.5, 0.8, 2.5, 2.0]

    def gain(coalition: frozenset[int]) -> float:
        """Loss reduction when only these updates are added, each with its weight in the merge."""
        step = sum((weights[i] / sum(weights) * updates[i] for i in coalition), np.zeros_like(base))
        return loss(base, validation) - loss(base + step, validation)

    exact = exact_shapley(gain, len(sites))
    phi = aumann_shapley(base, updates, weights, validation)
    everything = gain(frozenset(range(len(sites))))
    assert np.abs(np.array(phi) - exact).max() < 0.01 * everything
