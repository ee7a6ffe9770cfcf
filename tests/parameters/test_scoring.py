"""Dot products of the gradient with the updates."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest

from metering.contribution import BLOCK, block_dot
from node_agent.errors import ParameterError
from node_agent.parameters.convert import bfloat16_to_float32
from node_agent.parameters.format import ParameterFile
from node_agent.scoring import dots
from tests.parameters.models import floats, saved

GRADIENT = {"format": "swarm-1", "kind": "gradient"}
SHAPES = {"a": (300, 200), "b": (7,), "c": (BLOCK + 11,), "none": (0, 4), "d": ()}


@pytest.fixture
def base(tmp_path: Path) -> ParameterFile:
    return saved(tmp_path / "base", floats(0, SHAPES) | {"steps": np.array(5)})


def update(path: Path, seed: int) -> ParameterFile:
    return saved(path / f"update{seed}", floats(seed, SHAPES) | {"steps": np.array(seed)})


def flat(file: ParameterFile, names: list[str]) -> np.ndarray:
    return np.concatenate([file.tensor(name).reshape(-1).astype(np.float64) for name in names])


def test_every_update_gets_the_dot_product_of_its_difference(tmp_path: Path, base) -> None:
    gradient = saved(tmp_path / "gradient", floats(9, SHAPES), GRADIENT)
    updates = [update(tmp_path, seed) for seed in (1, 2, 3)]
    names = sorted(SHAPES)
    g, w = flat(gradient, names), flat(base, names)
    for got, file in zip(dots(gradient, base, updates), updates, strict=True):
        difference = flat(file, names) - w
        assert got == pytest.approx(math.fsum(g * difference), rel=1e-12)
        assert got == block_dot(difference, g), "the same sums as in metering, bit for bit"


def test_tensors_without_a_gradient_count_as_zero(tmp_path: Path, base) -> None:
    gradient = saved(tmp_path / "gradient", floats(9, {"b": (7,)}), GRADIENT)
    one = update(tmp_path, 1)
    expected = math.fsum(
        gradient.tensor("b").astype(float) * (one.tensor("b").astype(float) - base.tensor("b"))
    )
    assert dots(gradient, base, [one]) == [pytest.approx(expected, rel=1e-12)]
    empty = saved(tmp_path / "empty", {}, GRADIENT)
    assert dots(empty, base, [one, one]) == [0.0, 0.0]


def test_the_base_itself_scores_zero(tmp_path: Path, base) -> None:
    gradient = saved(tmp_path / "gradient", floats(9, SHAPES), GRADIENT)
    assert dots(gradient, base, [base]) == [0.0]
    assert dots(gradient, base, []) == []


def test_a_bfloat16_model_may_have_a_float32_gradient(tmp_path: Path) -> None:
    rng = np.random.default_rng(2)
    bits = [rng.integers(0x3C00, 0x4000, 50).astype(np.uint16) for _ in range(2)]
    base, one = (
        saved(tmp_path / str(n), {"w": b, "v": np.ones(3, "f4")}, bfloat16=["w"])
        for n, b in enumerate(bits)
    )
    g = rng.standard_normal(50).astype(np.float32)
    gradient = saved(tmp_path / "gradient", {"w": g}, GRADIENT)
    difference = bfloat16_to_float32(bits[1]).astype(float) - bfloat16_to_float32(bits[0])
    assert dots(gradient, base, [one]) == [block_dot(difference, g)]


@pytest.mark.parametrize(
    ("gradient", "complaint"),
    [
        ({"b": np.zeros(8, "f4")}, "no tensor of the gradient's shape"),
        ({"stranger": np.zeros(7, "f4")}, "no tensor of the gradient's shape"),
        ({"steps": np.array(1)}, "a gradient of dtype I64"),
        ({"steps": np.array(1, "f4")}, "not a float tensor"),
        ({"b": np.full(7, np.nan, "f4")}, "not finite"),
        ({"b": np.full(7, np.inf, "f4")}, "not finite"),
    ],
)
def test_a_gradient_that_does_not_fit_is_refused(tmp_path, base, gradient, complaint: str) -> None:
    file = saved(tmp_path / "gradient", gradient, GRADIENT)
    with pytest.raises(ParameterError, match=complaint):
        dots(file, base, [update(tmp_path, 1)])


def test_a_file_of_another_model_is_no_update(tmp_path: Path, base) -> None:
    gradient = saved(tmp_path / "gradient", floats(9, SHAPES), GRADIENT)
    with pytest.raises(ParameterError, match="gradient is no update of the base"):
        dots(gradient, base, [gradient])
