"""Auditing a run by training it again without some of its sites."""

from __future__ import annotations

import numpy as np
import pytest

from metering.contribution import retrain_audit, retrain_shapley
from metering.errors import MeteringError
from metering.split import metered_bips
from tests.metering.federation import FEATURES, draw, loss, train

RNG = np.random.default_rng(21)
SITES = [
    draw(RNG, samples, flipped)
    for samples, flipped in ((300, 0.0), (150, 0.0), (60, 0.0), (300, 0.5), (150, 0.25))
]
TEST_SET = draw(RNG, 3000)


class Trainings:
    """Federated training for six rounds, and who took part in which."""

    def __init__(self) -> None:
        self.done: list[frozenset[int]] = []

    def __call__(self, coalition: frozenset[int]) -> float:
        w = np.zeros(FEATURES + 1)
        if coalition:
            self.done.append(coalition)
        for _ in range(6 if coalition else 0):
            w = w + sum(train(w, SITES[site], 3) for site in sorted(coalition)) / len(coalition)
        return -loss(w, TEST_SET)


def test_an_audit_takes_two_trainings_a_site_and_one_with_all() -> None:
    trainings = Trainings()
    retrain_audit(trainings, 5)
    assert len(trainings.done) == len(set(trainings.done)) == 2 * 5 + 1


def test_the_full_value_takes_a_training_of_every_coalition() -> None:
    trainings = Trainings()
    retrain_shapley(trainings, 5)
    assert len(trainings.done) == len(set(trainings.done)) == 2**5 - 1
    with pytest.raises(MeteringError, match="at most 6 sites") as refusal:
        retrain_shapley(trainings, 7)
    assert "retrain_audit" in refusal.value.hint


def test_an_audit_finds_who_earned_what_as_the_full_value_does() -> None:
    audit, truth = retrain_audit(Trainings(), 5), retrain_shapley(Trainings(), 5)
    gain = Trainings()(frozenset(range(5))) - Trainings()(frozenset())
    assert audit.sum() == pytest.approx(gain)
    assert truth.sum() == pytest.approx(gain)
    paid, due = (np.array(metered_bips(phi.tolist())) for phi in (audit, truth))
    assert np.abs(paid - due).sum() / 2 < 500, "less than 5 % of the pot goes to the wrong site"
    assert min(range(5), key=lambda site: audit[site]) == 3, "its labels are noise"
