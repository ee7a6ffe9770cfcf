from __future__ import annotations

from typing import Any

import pytest
import torch

from node_agent.callbacks.errors import InvalidParameter, SwarmRefused
from node_agent.callbacks.pytorch import SwarmCallback
from node_agent.callbacks.settings import Settings, agreed, checked_settings

TERMS = {"minPeers": 2, "syncFrequency": 8, "maxRounds": 24, "mergeMethod": "mean"}


def settings(**changes: Any) -> Settings:
    parameters: dict[str, Any] = {
        "syncFrequency": 8,
        "minPeers": 2,
        "trainingContract": None,
        "mergeMethod": "mean",
        "nodeWeightage": 1,
        "checkinModelOnTrainEnd": "snapshot",
        "totalEpochs": 0,
    }
    return checked_settings(**parameters | changes)


def callback(**parameters: Any) -> SwarmCallback:
    defaults: dict[str, Any] = {
        "syncFrequency": 8,
        "minPeers": 2,
        "model": torch.nn.Linear(3, 1),
        "adsValData": (torch.zeros(4, 3), torch.zeros(4, 1)),
    }
    return SwarmCallback(**defaults | parameters)


def test_an_unknown_parameter_is_refused_with_the_nearest_one() -> None:
    with pytest.raises(InvalidParameter, match="no parameter 'syncFrequencey'") as refused:
        callback(syncFrequencey=4)
    assert refused.value.hint == "Did you mean syncFrequency?"
    assert refused.value.__notes__ == ["hint: Did you mean syncFrequency?"]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("syncFrequency", 0),
        ("syncFrequency", 2.0),
        ("syncFrequency", True),
        ("minPeers", -1),
        ("minPeers", "2"),
        ("nodeWeightage", 101),
        ("totalEpochs", -1),
        ("mergeMethod", "median"),
        ("checkinModelOnTrainEnd", "always"),
        ("trainingContract", 7),
    ],
)
def test_a_value_that_makes_no_sense_is_refused_by_name(name: str, value: Any) -> None:
    with pytest.raises(InvalidParameter, match=name):
        settings(**{name: value})


def test_merge_methods_are_taken_in_any_case() -> None:
    assert settings(mergeMethod="CoordMedian").merge_method == "coordinate-median"


def test_what_the_terms_fix_wins_and_is_told_in_programs_for_hpe() -> None:
    stated = settings(minPeers=3, trainingContract="other", useAdaptiveSync=True, termsWin=True)
    told = agreed(stated, ("breast-cancer", "0xab"), TERMS)
    assert [line.split()[0] for line in told] == ["trainingContract", "minPeers", "useAdaptiveSync"]
    assert agreed(settings(), ("breast-cancer", "0xab"), TERMS) == []


def test_a_model_is_required() -> None:
    with pytest.raises(InvalidParameter, match="model must be"):
        callback(model=None)


def test_a_misspelled_loss_is_refused_with_the_nearest_one() -> None:
    with pytest.raises(InvalidParameter) as refused:
        callback(lossFunction="BCEWithLogitLoss")
    assert refused.value.hint == "Did you mean BCEWithLogitsLoss?"


def test_loss_arguments_that_do_not_fit_are_refused() -> None:
    with pytest.raises(InvalidParameter, match="lossFunctionArgs do not fit MSELoss"):
        callback(lossFunction="MSELoss", lossFunctionArgs={"weights": 3})


def test_a_script_that_agrees_with_the_terms_may_take_part() -> None:
    agreed(settings(mergeMethod="MEAN"), ("breast-cancer", "0xab"), TERMS)
    agreed(settings(trainingContract="0xab"), ("breast-cancer", "0xab"), TERMS)


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("minPeers", 3, "minPeers is 3 in this script, but the terms of the run say 2"),
        ("syncFrequency", 4, "syncFrequency is 4 in this script, but the terms of the run say 8"),
        ("mergeMethod", "geomedian", "mergeMethod is 'geometric-median' .* say 'mean'"),
        ("nodeWeightage", 5, "weights come from the agreement"),
        ("trainingContract", "other", "trainingContract is 'other'"),
    ],
)
def test_what_the_terms_fix_cannot_be_set_otherwise(name: str, value: Any, says: str) -> None:
    with pytest.raises(SwarmRefused, match=says) as refused:
        agreed(settings(**{name: value}), ("breast-cancer", "0xab"), TERMS)
    assert refused.value.hint
