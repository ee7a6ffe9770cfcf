"""The results tables: the simulation learns, and the document has a line for every rule."""

from __future__ import annotations

from pathlib import Path

from examples.tables.__main__ import alone, swarm
from examples.tables.data import TABLES, federation
from examples.tables.model import initial
from node_agent.merge.registry import find_rule
from node_agent.merge.rules import BUILT_IN


def test_on_skewed_digits_the_swarm_knows_what_no_site_knows_alone(tmp_path: Path) -> None:
    data = federation(TABLES["digits"](), "Dirichlet 0.3", seed=0)
    start = initial(64, 10, seed=0)
    together = swarm(data, start, find_rule("norm-clipped-mean"), 0, tmp_path)
    assert together > 0.93
    assert together > alone(data, start, 0) + 0.2


def test_every_row_of_the_data_is_in_one_part_only() -> None:
    table = TABLES["breast-cancer"]()
    for split in ("IID", "Dirichlet 0.3"):
        data = federation(table, split, seed=1)
        parts = [*data.sites, data.validation, data.test]
        rows = [row.tobytes() for part in parts for row in part.x]
        assert len(set(rows)) == len(rows) == 569


def test_the_document_has_a_line_for_every_rule() -> None:
    text = (Path(__file__).parents[2] / "docs/examples.md").read_text()
    for rule in BUILT_IN:
        assert f"\n| {rule.name} |" in text
