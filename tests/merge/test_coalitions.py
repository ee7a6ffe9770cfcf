"""What some of a merge's sites alone would have made of the base."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from node_agent.merge.rules import combine
from node_agent.parameters.format import ParameterFile
from tests.merge.sites import MERGED, base_of, merged, site


@pytest.mark.parametrize("rule", ["mean", "norm-clipped-mean", "geometric-median", "krum"])
@pytest.mark.parametrize("chosen", [[0], [1, 2], [0, 1, 2, 3]])
def test_a_coalition_moves_the_base_by_its_own_part_of_the_merge(
    tmp_path: Path, rule: str, chosen: list[int]
) -> None:
    generator = np.random.default_rng(7)
    start = generator.normal(size=500).astype(np.float32)
    rows = [start + generator.normal(size=500).astype(np.float32) * k for k in (1, 2, 3, 9)]
    whole = {"w": start, "count": np.array([7], np.int64)}
    base = base_of(tmp_path, whole)
    files = [
        site(tmp_path, k, {"w": row, "count": whole["count"] + k}) for k, row in enumerate(rows)
    ]
    merge, outcome = merged(rule, files, [1, 2, 1, 3], tmp_path, base=base)
    assert outcome.coefficients is not None
    own = [outcome.coefficients[place] for place in chosen]
    combine([files[place] for place in chosen], own, base, tmp_path / "coalition", MERGED)
    found = ParameterFile.open(tmp_path / "coalition")
    expected = start.astype(np.float64) + sum(
        float(c) * (rows[place].astype(np.float64) - start)
        for c, place in zip(own, chosen, strict=True)
    )
    np.testing.assert_allclose(found.tensor("w"), expected, rtol=1e-5, atol=1e-5)
    assert found.tensor("count").tolist() == [7], "what is no float stays the base's"
    if len(chosen) == len(files):
        np.testing.assert_allclose(found.tensor("w"), merge.tensor("w"), rtol=1e-6)
