"""A node agent takes part only in runs whose rules it knows."""

from __future__ import annotations

from dataclasses import replace

import pytest

from node_agent.errors import ConfigError
from node_agent.joining import check_terms
from tests.node_cli.market import agreement

TERMS = agreement().terms


def test_terms_of_this_version_are_accepted() -> None:
    for metering in (0, 1, 2):
        check_terms(replace(TERMS, metering=metering))


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"merge_rule": 9}, "merge rule number 9"),
        ({"metering": 3}, "metering number 3"),
        ({"topology": 1}, "topology number 1"),
    ],
)
def test_rules_of_a_later_version_are_refused_with_a_hint(
    change: dict[str, int], reason: str
) -> None:
    with pytest.raises(ConfigError, match=reason) as refused:
        check_terms(replace(TERMS, **change))
    assert "install the version" in refused.value.hint
