"""Inner products, geometric median, Krum and clipping against straightforward computation."""

from __future__ import annotations

import math
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from node_agent.merge.geometric import geometric_median
from node_agent.merge.gram import inner_products, square_norms
from node_agent.merge.krum import krum, krum_scores, multi_krum
from node_agent.merge.weights import weighted_median
from tests.merge.sites import base_of, merged, merged_w, site
from tests.parameters.models import every_dtype, saved

RNG = np.random.default_rng(11)


def gram_of(rows: np.ndarray) -> list[list[float]]:
    centred = rows - np.median(rows, axis=0)
    return (centred @ centred.T).tolist()


@pytest.mark.parametrize("length", [1, 8191, 8192, 8193, 300_001])
@pytest.mark.parametrize("count", [1, 2, 5])
def test_inner_products_are_those_of_the_differences(tmp_path, length: int, count: int) -> None:
    rows = RNG.standard_normal((count, length)).astype(np.float32)
    centre = RNG.standard_normal(length).astype(np.float32)
    files = [site(tmp_path, n, row) for n, row in enumerate(rows)]
    base = base_of(tmp_path, centre)
    for middle, file in ((centre, base), (np.median(rows, axis=0), None)):
        differences = rows.astype(np.float64) - middle
        exact = differences @ differences.T
        got = inner_products(files, file, threads=2)
        scale = math.sqrt(exact.diagonal().max() ** 2) + 1e-30
        np.testing.assert_allclose(got, exact, rtol=3e-6, atol=3e-6 * scale)
    norms = square_norms(files, base)
    assert norms == [row[i] for i, row in enumerate(inner_products(files, base))]


def test_sums_over_a_chunk_are_exact(tmp_path: Path) -> None:
    """The worst case: 2**13 numbers that all have 20 bits set; no bit may be lost."""
    number = float(2**20 - 1)
    rows = np.full((2, 2**13), number)
    rows[1, ::2] = -(number - 2)
    files = [site(tmp_path, n, row) for n, row in enumerate(rows)]
    got = inner_products(files, base_of(tmp_path, np.zeros(2**13)))
    whole = [[int(x) for x in row] for row in rows]
    for i in range(2):
        for j in range(2):
            assert got[i][j] == sum(a * b for a, b in zip(whole[i], whole[j], strict=True))


def test_numbers_of_absurd_size_have_a_finite_distance(tmp_path: Path) -> None:
    rows = np.array([[3e38, 1], [-3e38, 1], [1e-45, 1], [0, 1]])
    files = [site(tmp_path, n, row) for n, row in enumerate(rows)]
    gram = inner_products(files, None)
    assert all(math.isfinite(product) for row in gram for product in row)
    assert gram[0][0] > 1e57
    assert gram[2][2] < 1e-80


def test_all_float_tensors_count_and_no_others(tmp_path: Path) -> None:
    models = [every_dtype(seed, 50) for seed in range(3)]
    files = [site(tmp_path, n, model, ["BF16"]) for n, model in enumerate(models)]
    flat = []
    for model in models:
        brain = (model["BF16"].astype(np.uint32) << 16).view(np.float32)
        flat.append(np.concatenate([model["F32"], model["F16"], brain]).astype(np.float64))
    got = inner_products(files, None)
    np.testing.assert_allclose(got, gram_of(np.array(flat)), rtol=1e-5, atol=1e-4)


def total_distance(point: np.ndarray, rows: np.ndarray, weights) -> float:
    return float(np.dot(weights, np.linalg.norm(rows - point, axis=1)))


@pytest.mark.parametrize("weights", [[1] * 7, [3, 1, 4, 1, 5, 9, 2]])
def test_no_point_has_a_smaller_sum_of_distances_than_the_geometric_median(
    tmp_path: Path, weights
) -> None:
    rows = RNG.standard_normal((7, 40)).astype(np.float32)
    rows[6] *= 30
    got = merged_w("geometric-median", rows, weights, tmp_path)
    best = total_distance(got, rows, weights)
    for _ in range(300):
        step = RNG.standard_normal(40) * 10.0 ** RNG.uniform(-4, 0)
        assert total_distance(got + step, rows, weights) > best * (1 - 1e-9)
    point = rows.mean(axis=0).astype(np.float64)
    for _ in range(5000):  # Weiszfeld in the full space
        pulls = np.array(weights) / np.linalg.norm(rows - point, axis=1)
        point = pulls @ rows / pulls.sum()
    assert best == pytest.approx(total_distance(point, rows, weights), rel=1e-6)
    np.testing.assert_allclose(got, point, atol=1e-3)


def test_on_a_line_the_geometric_median_is_the_weighted_median(tmp_path: Path) -> None:
    rows = np.array([[1.0], [2], [4], [1000]])
    got = merged_w("geometric-median", rows, [2, 2, 3, 2], tmp_path, parameter_e6=1)
    assert got[0] == pytest.approx(4, abs=0.02)


def test_where_most_sites_agree_the_geometric_median_is_what_they_say(tmp_path: Path) -> None:
    rows = np.array([[1.0, 2, 3]] * 3 + [[100.0, 0, 0], [0, -50, 3]])
    assert merged_w("geometric-median", rows, [1] * 5, tmp_path).tolist() == [1, 2, 3]
    assert geometric_median([[0.0] * 2] * 2, [1, 3], 1e-4) == [0.25, 0.75]


def classic_krum_scores(rows: np.ndarray, hostile: int) -> list[float]:
    count = len(rows)
    scores = []
    for i in range(count):
        squares = sorted(float(((rows[i] - rows[j]) ** 2).sum()) for j in range(count) if j != i)
        scores.append(sum(squares[: count - hostile - 2]))
    return scores


@pytest.mark.parametrize(("count", "hostile"), [(5, 1), (7, 2), (10, 3)])
def test_with_equal_weights_krum_is_the_published_one(tmp_path, count: int, hostile: int) -> None:
    rows = RNG.standard_normal((count, 60)).astype(np.float32).astype(np.float64)
    exact = classic_krum_scores(rows, hostile)
    share = Fraction(hostile, count)
    got = krum_scores(gram_of(rows), [1] * count, share)
    np.testing.assert_allclose(got, exact, rtol=1e-9)
    order = sorted(range(count), key=exact.__getitem__)
    assert krum(gram_of(rows), [1] * count, share) == [i == order[0] for i in range(count)]
    kept = order[: count - hostile]
    assert multi_krum(gram_of(rows), [1] * count, share) == [i in kept for i in range(count)]
    if hostile * 10 == count * 2:
        np.testing.assert_array_equal(merged_w("krum", rows, [1] * count, tmp_path), rows[order[0]])


def test_a_weight_of_two_counts_like_two_sites_that_send_the_same() -> None:
    rows = RNG.standard_normal((4, 30))
    share = Fraction(1, 10)
    doubled = np.vstack([rows, rows[:1]])
    one, two = (
        krum_scores(gram_of(rows), [2, 1, 1, 1], share),
        krum_scores(gram_of(doubled), [1] * 5, share),
    )
    # W/n differs (a heavy site is one candidate, two clones are two): compare at equal mass.
    mass = Fraction(5) - Fraction(5, 10) - Fraction(5, 4)
    same = krum_scores(gram_of(doubled), [1] * 5, 1 - (mass + 1) / 5)
    np.testing.assert_allclose(one, same[:4], rtol=1e-9)
    assert two[0] == two[4]


def test_multi_krum_takes_the_last_update_with_the_weight_that_is_left() -> None:
    rows = np.array([[0.0], [0.1], [0.2], [9.0]])
    taken = multi_krum(gram_of(rows), [1, 1, 1, 1], Fraction(3, 10))
    assert taken[3] == 0
    assert sum(taken) == Fraction(28, 10)
    assert sorted(taken) == [0, Fraction(8, 10), 1, 1]


def clipped_by_hand(rows, base, weights, parameter: float, steps: int) -> np.ndarray:
    norms = np.linalg.norm(rows - base, axis=1)
    radius = parameter * weighted_median(norms.tolist(), weights)
    point = base.astype(np.float64)
    for _ in range(steps):
        away = rows - point
        lengths = np.linalg.norm(away, axis=1)
        scales = np.minimum(1, radius / np.maximum(lengths, 1e-300))
        point = point + (np.array(weights) * scales) @ away / sum(weights)
    return point


@pytest.mark.parametrize(("rule", "steps"), [("norm-clipped-mean", 1), ("centered-clipping", 3)])
@pytest.mark.parametrize("weights", [[1] * 6, [3, 1, 4, 1, 5, 9]])
@pytest.mark.parametrize("parameter", [0.5, 1.0, 2.0])
def test_clipping_is_what_its_formula_says(tmp_path, rule, steps, weights, parameter) -> None:
    rows = (RNG.standard_normal((6, 200)) * RNG.uniform(0.1, 5, (6, 1))).astype(np.float32)
    base = RNG.standard_normal(200).astype(np.float32)
    got = merged_w(rule, rows, weights, tmp_path, base, parameter_e6=int(parameter * 1e6))
    exact = clipped_by_hand(rows.astype(np.float64), base, weights, parameter, steps)
    np.testing.assert_allclose(got, exact, atol=2e-5)


@pytest.mark.parametrize("rule", ["norm-clipped-mean", "centered-clipping"])
def test_where_nothing_is_clipped_the_bits_are_those_of_the_mean(tmp_path, rule: str) -> None:
    rows = RNG.standard_normal((4, 300))
    base, weights = np.zeros(300), [3, 1, 4, 1]
    clipped = merged_w(rule, rows, weights, tmp_path, base, parameter_e6=100_000_000)
    np.testing.assert_array_equal(clipped, merged_w("mean", rows, weights, tmp_path))


@pytest.mark.parametrize(
    "rule", ["mean", "norm-clipped-mean", "geometric-median", "krum", "multi-krum"]
)
def test_coefficients_say_what_was_merged_in_the_order_of_the_caller(tmp_path, rule: str) -> None:
    rows = RNG.standard_normal((5, 100)).astype(np.float32)
    rows[3] *= 10
    base = base_of(tmp_path, RNG.standard_normal(100))
    files = [site(tmp_path, 9 - n, row) for n, row in enumerate(rows)]
    file, outcome = merged(rule, files, [1, 2, 1, 1, 1], tmp_path, base=base)
    start = base.tensor("w").astype(np.float64)
    moved = start + np.array([float(c) for c in outcome.coefficients]) @ (rows - start)
    np.testing.assert_allclose(file.tensor("w"), moved, atol=1e-5)
    assert sum(outcome.coefficients) == 1 or rule == "norm-clipped-mean"


def test_integers_follow_by_their_median_whoever_is_chosen(tmp_path: Path) -> None:
    models = [
        {"w": np.full(3, value, np.float32), "steps": np.array([steps])}
        for value, steps in ((1, 40), (1.1, 50), (0.9, 10**9))
    ]
    files = [site(tmp_path, n, model) for n, model in enumerate(models)]
    base = saved(tmp_path / "b", {"w": np.zeros(3, np.float32), "steps": np.array([0])}, {})
    for rule in ("norm-clipped-mean", "geometric-median", "krum", "multi-krum"):
        file, _ = merged(rule, files, [1, 1, 1], tmp_path, base=base)
        assert file.tensor("steps").tolist() == [50]
    assert merged("mean", files, [1, 1, 1], tmp_path)[0].tensor("steps").tolist() == [333333363]
