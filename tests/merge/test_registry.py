"""Rules by number and name, and rules that come as plug-ins."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from marketplace.agreements.terms import MERGE_RULES
from node_agent.errors import ConfigError, ParameterError
from node_agent.merge.registry import PLUG_IN_NUMBERS, find_rule, merge
from node_agent.merge.rules import BUILT_IN
from tests.merge.sites import BASE, MERGED, NAMES, NEED_BASE, base_of, merged, site
from tests.parameters.models import every_dtype, saved


def test_the_numbers_in_the_terms_never_change() -> None:
    assert [(find_rule(name).number, name) for name in NAMES] == [
        (0, "mean"),
        (1, "norm-clipped-mean"),
        (2, "coordinate-median"),
        (3, "geometric-median"),
        (4, "trimmed-mean"),
        (5, "krum"),
        (6, "multi-krum"),
        (7, "centered-clipping"),
        (8, "server-momentum"),
        (9, "server-adagrad"),
        (10, "server-adam"),
        (11, "server-yogi"),
    ]


def test_an_unknown_rule_is_refused_with_a_hint() -> None:
    with pytest.raises(ConfigError, match="merge rule 77 is not known") as caught:
        find_rule(77)
    assert "4 trimmed-mean" in caught.value.hint


@pytest.mark.parametrize("rule", ["trimmed-mean", "krum", "multi-krum"])
def test_no_rule_resists_half_of_the_weight(rule: str) -> None:
    assert find_rule(rule, 499_999).name == rule
    with pytest.raises(ConfigError, match=r"at most 0\.499999, not 0\.5"):
        find_rule(rule, 500_000)


@pytest.mark.parametrize("rule", NAMES)
@pytest.mark.parametrize("copies", [1, 2, 5])
def test_equal_updates_merge_to_themselves_in_every_dtype(tmp_path, rule: str, copies: int) -> None:
    model = every_dtype(3, 1000)
    files = [site(tmp_path, number, model, ["BF16"]) for number in range(copies)]
    base = saved(tmp_path / "base", model, BASE, ["BF16"])
    file, outcome = merged(rule, files, [n + 1 for n in range(copies)], tmp_path, base=base)
    for name, expected in model.items():
        np.testing.assert_array_equal(file.tensor(name), expected)
    assert file.metadata == MERGED | (
        {"state": outcome.state.root.hex()} if outcome.state is not None else {}
    )


@pytest.mark.parametrize("rule", NAMES)
def test_a_model_without_floats_or_without_numbers_merges(tmp_path: Path, rule: str) -> None:
    tensors = {"steps": np.array([1, 2]), "none": np.zeros((0, 3), np.float32)}
    files = [site(tmp_path, number, tensors) for number in range(3)]
    file, _ = merged(rule, files, [1, 1, 1], tmp_path, base=base_of(tmp_path, tensors))
    assert file.tensor("steps").tolist() == [1, 2]


def test_what_does_not_belong_together_is_not_merged(tmp_path: Path) -> None:
    file, out = site(tmp_path, 0, np.ones(3)), tmp_path / "merged"
    other = base_of(tmp_path, np.ones(4))
    with pytest.raises(ParameterError, match="base cannot be merged: tensor 'w' is F32"):
        merge("krum", [file], [1], out, MERGED, base=other)
    with pytest.raises(ParameterError, match="2 files to merge, but 1 weights"):
        merge("krum", [file, file], [1], out, MERGED)
    with pytest.raises(ParameterError, match="nothing to merge"):
        merge("krum", [], [], out, MERGED)
    for rule in NEED_BASE:
        with pytest.raises(ParameterError, match="needs the model that the round started from"):
            merge(rule, [file], [1], out, MERGED)
    assert not out.exists()


PLUG_IN = """
import numpy as np
from node_agent.merge.blocks import merge_blockwise
from node_agent.merge.rules import Outcome, Rule

def apply(work):
    def largest(block, inputs):
        merged = inputs[0].copy()
        for numbers in inputs[1:]:
            np.maximum(merged, numbers, out=merged)
        return merged
    return Outcome(merge_blockwise(work.files, work.out_path, work.metadata, lambda: largest,
                                   threads=work.threads), None)

RULE = Rule({number}, "largest", apply)
"""
PROGRAM = """
import sys
from node_agent.errors import NodeError
from node_agent.merge.registry import merge
from node_agent.parameters.format import ParameterFile

*paths, rule, out = sys.argv[1:]
try:
    merge(int(rule), [ParameterFile.open(path) for path in paths], [1, 1], out, {})
    print(ParameterFile.open(out).tensor("w").tolist())
except NodeError as error:
    print(error)
"""


def run_with_plug_in(folder: Path, number: int, rule: int) -> str:
    """Install a package the way pip leaves it, and merge in a process that finds it."""
    (folder / "largest_rule.py").write_text(PLUG_IN.replace("{number}", str(number)))
    about = folder / "largest_rule-1.0.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: largest-rule\nVersion: 1.0\n")
    (about / "entry_points.txt").write_text("[swarm.merge_rules]\nlargest = largest_rule:RULE\n")
    files = [site(folder, n, np.array(row)) for n, row in enumerate(([1, 5, 2], [4, 0, 2]))]
    environment = os.environ | {"PYTHONPATH": f"{folder}:{Path(__file__).parents[2]}"}
    command = [sys.executable, "-c", PROGRAM, *(str(file.path) for file in files)]
    done = subprocess.run(
        [*command, str(rule), str(folder / "out")],
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_an_installed_package_brings_a_rule(tmp_path: Path) -> None:
    assert run_with_plug_in(tmp_path, 200, 200) == "[4.0, 5.0, 2.0]"


def test_a_plug_in_cannot_take_a_number_that_is_not_its_own(tmp_path: Path) -> None:
    assert "has the number 2, not 128-255" in run_with_plug_in(tmp_path, 2, 200)


def test_marketplace_and_node_agent_number_the_rules_alike() -> None:
    built_in = {rule.name: rule.number for rule in BUILT_IN}
    plug_ins = {f"plug-in-{number}": number for number in PLUG_IN_NUMBERS}
    assert built_in | plug_ins == MERGE_RULES
    for rule in BUILT_IN:
        assert (rule.largest_e6 < 500_000) == (rule.name in {"trimmed-mean", "krum", "multi-krum"})
