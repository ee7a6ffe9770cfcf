"""The benchmark's parts compute what they say: a benchmark that is wrong proves nothing."""

from __future__ import annotations

import itertools
from dataclasses import replace

import numpy as np
import pytest

from metering.local_pool import Report
from scripts.bench_metering.accuracy import Judged, judge
from scripts.bench_metering.attacks import UPDATES, attack, clipped, run, setups
from scripts.bench_metering.datasets import LEAST_ROWS, SPLITS, make_cell
from scripts.bench_metering.federation import train, true_values, utilities
from scripts.bench_metering.models import MODELS, Model, Softmax
from scripts.bench_metering.pairwise import pairwise_credits_wei
from scripts.bench_metering.payers import POOL_WEI, misallocated, pay_once, pay_pairwise, shares
from scripts.bench_metering.reports import cartel, own_report
from scripts.bench_metering.views import look

SITES = 6
WINE = make_cell("wine", "noise", 0, SITES)
SOFTMAX = Softmax(WINE.judges.x.shape[1], WINE.classes)


@pytest.fixture(scope="module")
def judged() -> Judged:
    return judge(WINE, SOFTMAX)


@pytest.mark.parametrize("name", MODELS)
def test_gradients_are_the_slopes_of_the_losses(name: str) -> None:
    digits = make_cell("digits", "iid", 0, 5)
    model: Model = MODELS[name](digits.judges.x.shape[1], digits.classes)
    points = np.stack([model.start(0), model.start(1)])
    change = 1e-5 * np.random.default_rng(0).standard_normal(points.shape)
    slope = 2 * (model.gradient(points, digits.judges) * change).sum(axis=1)
    rise = model.loss(points + change, digits.judges) - model.loss(points - change, digits.judges)
    assert rise == pytest.approx(slope, rel=1e-4)


@pytest.mark.parametrize("split", SPLITS)
def test_a_split_keeps_every_training_row_and_gives_everyone_some(split: str) -> None:
    cell = make_cell("wine", split, 3, SITES)
    assert sum(map(len, cell.sites)) == 124
    assert len(cell.judges) == 54
    least = LEAST_ROWS if split == "dirichlet" else 1
    assert min(map(len, cell.sites)) >= least


def test_label_flips_and_sizes_are_as_stated() -> None:
    iid, flip = (make_cell("digits", split, 1, SITES) for split in ("iid", "flip"))
    assert [len(site) for site in iid.sites] == [len(site) for site in flip.sites]
    sizes = [len(site) for site in make_cell("digits", "size", 1, SITES).sites]
    assert sizes == pytest.approx([1257 * i / 21 for i in range(1, 7)], abs=1)


def test_the_truth_divides_exactly_what_training_together_gained() -> None:
    federation = train(SOFTMAX, SOFTMAX.start(0), WINE.sites)
    truth = true_values(SOFTMAX, federation, WINE.judges)
    worth = utilities(SOFTMAX, federation, WINE.judges)
    gained = worth[frozenset(range(SITES))] - worth[frozenset()]
    assert truth.sum() == pytest.approx(gained, abs=1e-12)
    assert gained > 0.5


def test_a_coalition_trains_as_if_the_others_did_not_exist() -> None:
    everyone = train(SOFTMAX, SOFTMAX.start(0), WINE.sites)
    two = train(SOFTMAX, SOFTMAX.start(0), (WINE.sites[1], WINE.sites[4]))
    alone = two.finals[frozenset({0, 1})]
    np.testing.assert_allclose(everyone.finals[frozenset({1, 4})], alone, atol=1e-12)


def test_paying_the_truth_pays_nobody_wrongly(judged: Judged) -> None:
    assert misallocated(pay_once(judged.truth_common), judged.truth_common) < SITES * 1e-4


def test_paying_one_site_everything_pays_the_others_part_wrongly() -> None:
    assert misallocated({0: 7, 1: 0, 2: 0, 3: 0}, np.array([1.0, 1, 1, 1])) == 0.75
    assert misallocated({0: 1, 1: 1}, np.array([3.0, -5])) == 0.5


def test_no_way_of_paying_spends_more_than_the_pool(judged: Judged) -> None:
    for result in judged.results:
        assert all(amount >= 0 for amount in result.amounts.values())
        assert sum(result.amounts.values()) <= POOL_WEI, result.method


def test_a_perfect_agreed_set_beats_none(judged: Judged) -> None:
    found = {(result.method, result.evidence): result.misallocated for result in judged.results}
    assert found["aumann-shapley", "test"] < found["equal", "common"]
    assert found["retrain-audit", "test"] < found["aumann-shapley", "common"]


def test_clipping_leaves_nothing_longer_than_the_median_organization() -> None:
    updates = np.diag([9.0, 3, 2, 1, 0])
    lengths = np.linalg.norm(clipped(updates, [0.2] * 5), axis=1)
    assert lengths.tolist() == [2, 2, 2, 1, 0]
    split = clipped(np.diag([9.0, 9, 9, 2, 1]), [1 / 9, 1 / 9, 1 / 9, 1 / 3, 1 / 3])
    assert np.linalg.norm(split, axis=1).max() == 2


def test_attackers_get_little_and_three_nodes_as_much_as_one() -> None:
    cell = make_cell("wine", "iid", 0, 5)
    found = attack(cell, SOFTMAX)
    for name in ("zero update", "sign flip", "label flip"):
        assert found[name]["aumann-shapley/common"] <= 0.01, name
        assert found[name]["equal/common"] == pytest.approx(0.2)
    one, three = found["honest"], found["three nodes, same data"]
    way = "aumann-shapley/common"
    assert three[way] == pytest.approx(one[way], abs=1e-3)


def test_false_reports_gain_what_tolerance_and_cap_allow() -> None:
    cell = make_cell("wine", "iid", 0, 5)
    gains = own_report(cell, SOFTMAX)
    assert gains["local, share"] == 0
    assert abs(gains["pairwise"]) < 1e-15
    assert 0.005 < gains["common"] < 0.0105
    assert max(cartel(cell, SOFTMAX).values()) < 0.15


ROSTER = (2, 3, 5, 7, 11)
ROWS = {
    2: ((2, 0), (3, 2500), (5, 2500), (7, 2500), (11, 2500)),
    3: ((2, 5000), (3, 0), (5, 0), (7, 5000), (11, 0)),
    5: ((2, 1000), (3, 2000), (5, 0), (7, 3000), (11, 4000)),
    7: ((2, 0), (3, 0), (5, 0), (7, 0), (11, 0)),
    11: ((2, 4000), (3, 3000), (5, 0), (7, 2000), (11, 0)),
}
GAINS = {2: 40, 3: 10, 5: 30, 7: 90, 11: 10**12}


def test_pairwise_pays_out_everything_and_takes_more_than_it_gave_from_nobody() -> None:
    rng = np.random.default_rng(0)
    for available_wei in (0, 1, 19, 10**6 + 7, 10**24 + 1):
        for _ in range(20):
            rows = {
                party: tuple(
                    (other, 0 if other == party else int(rng.integers(0, 5001))) for other in ROSTER
                )
                for party in ROSTER
            }
            gains = {party: int(rng.integers(-10, 10**9)) for party in ROSTER}
            paid = pairwise_credits_wei(available_wei, ROSTER, rows, gains)
            assert min(paid.values()) >= 0
            assert sum(paid.values()) == 5 * (available_wei // 5)


def test_under_pairwise_ones_own_report_or_silence_changes_nothing_of_ones_own() -> None:
    honest = pairwise_credits_wei(10**18, ROSTER, ROWS, GAINS)
    for party in ROSTER:
        others = [other for other in ROSTER if other != party]
        for friend, gain in itertools.product(others, (-5, 0, 1, 10**15)):
            row = tuple((other, 5000 if other == friend else 0) for other in ROSTER)
            lying = {**GAINS, party: gain}
            paid = pairwise_credits_wei(10**18, ROSTER, {**ROWS, party: row}, lying)
            assert paid[party] == honest[party]
        silent = pairwise_credits_wei(10**18, ROSTER, {**ROWS, party: None}, GAINS)
        assert silent[party] == honest[party]


def test_pairwise_pays_nothing_for_what_everyone_calls_worthless() -> None:
    rows = {
        party: tuple((o, 0 if o in (party, 11) else 3333) for o in ROSTER) for party in ROSTER[:4]
    }
    paid = pairwise_credits_wei(10**18, ROSTER, rows, dict.fromkeys(ROSTER, 5))
    assert paid[11] == 0
    assert {paid[party] for party in ROSTER[:4]} == {25 * 10**16}


def test_fewer_than_four_are_paid_alike() -> None:
    rows = {1: ((1, 0), (2, 10_000), (3, 0))}
    assert pairwise_credits_wei(9, (1, 2, 3), rows, {1: 5}) == {1: 3, 2: 3, 3: 3}


def test_overstating_gains_a_thousandfold_moves_no_more_than_the_second_highest_gain() -> None:
    parties = tuple(range(SITES))
    setup = setups(make_cell("wine", "iid", 0, SITES), held_back=True)["honest"]
    steps = run(SOFTMAX, setup, UPDATES["honest"], 0)
    views = {
        party: look(SOFTMAX, steps, data, (1,) * SITES, ["aumann-shapley"])
        for party, data in setup.held.items()
    }

    def loud(party: int, report: Report) -> Report:
        gain_e9 = max(report.loss_before_e9 - report.loss_after_e9, 0)
        more = replace(report, loss_before_e9=report.loss_after_e9 + 1000 * gain_e9)
        return more if party == 0 else report

    honest = shares(pay_pairwise(views, "aumann-shapley", parties))
    lying = shares(pay_pairwise(views, "aumann-shapley", parties, bend=loud))
    assert np.abs(lying - honest).max() < 0.03
