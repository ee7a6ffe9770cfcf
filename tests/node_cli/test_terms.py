"""A node agent takes part only in runs whose rules it knows."""

from __future__ import annotations

from dataclasses import replace

import pytest

from node_agent.errors import ConfigError
from node_agent.joining import check_terms
from tests.node_cli.market import agreement

TERMS = agreement().terms


def test_terms_of_this_version_are_accepted() -> None:
    for metering in (0, 1, 2, 3):
        check_terms(replace(TERMS, metering=metering))
    assert check_terms(replace(TERMS, merge_rule=3)).name == "geometric-median"


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"metering": 4}, "metering number 4"),
        ({"topology": 2}, "topology number 2"),
    ],
)
def test_rules_of_a_later_version_are_refused_with_a_hint(
    change: dict[str, int], reason: str
) -> None:
    with pytest.raises(ConfigError, match=reason) as refused:
        check_terms(replace(TERMS, **change))
    assert "install the version" in refused.value.hint


@pytest.mark.parametrize(
    ("change", "reason", "hint"),
    [
        ({"merge_rule": 127}, "merge rule 127 is not known here", "the version of the agent"),
        ({"merge_rule": 200}, "merge rule 200 is not known here", "Install the plug-in"),
        ({"merge_rule": 5, "merge_parameter": 500_000}, "krum takes a parameter of at most", ""),
    ],
)
def test_a_merge_rule_that_is_not_here_is_refused_before_it_spoils_a_round(
    change: dict[str, int], reason: str, hint: str
) -> None:
    with pytest.raises(ConfigError, match=reason) as refused:
        check_terms(replace(TERMS, **change))
    assert hint in refused.value.hint
