"""The mean: what it is, and that it has the same bytes at every node."""

from __future__ import annotations

import math
import tracemalloc
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from node_agent.errors import ParameterError
from node_agent.merge.blocks import BLOCK
from node_agent.merge.mean import merge
from node_agent.merge.weights import in_bits, in_lowest_terms
from node_agent.parameters.format import ParameterFile
from tests.parameters.models import every_dtype, floats, saved

MERGED = {"format": "swarm-1", "kind": "merged", "round": "1"}


def merged(files: list[ParameterFile], weights: list, folder: Path, **options) -> ParameterFile:
    written = merge(files, weights, folder / "merged", MERGED, **options)
    file = ParameterFile.open(folder / "merged")
    assert (written.root, written.size) == (file.root, file.size)
    return file


def spiffe_id(number: int) -> str:
    return f"spiffe://clinics.example/org/org-{number:02}/node/one"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("merge")


@pytest.fixture(scope="module")
def updates(folder: Path) -> list[ParameterFile]:
    """Five updates of a model that is cut into several blocks."""
    shapes = {"wide": (BLOCK // 100, 130), "bias": (17,), "none": (0,)}
    return [
        saved(folder / str(number), floats(number, shapes), {"node": spiffe_id(number)})
        for number in range(5)
    ]


def test_the_mean_is_the_float64_mean_rounded_once(folder: Path, updates) -> None:
    file = merged(updates, [1] * 5, folder)
    for name in file.schema:
        stack = np.stack([update.tensor(name).astype(np.float64) for update in updates])
        expected = (((stack[0] + stack[1]) + stack[2] + stack[3] + stack[4]) / 5).astype("f4")
        np.testing.assert_array_equal(file.tensor(name), expected)
    assert file.metadata == MERGED
    assert file.schema == updates[0].schema


def test_weights_count_by_their_ratio(folder: Path, updates) -> None:
    weights = [3, 1, 4, 1, 5]
    file = merged(updates, weights, folder)
    terms = [
        update.tensor("wide").astype(np.float64) * weight
        for update, weight in zip(updates, weights, strict=True)
    ]
    expected = ((((terms[0] + terms[1]) + terms[2]) + terms[3]) + terms[4]) / 14
    np.testing.assert_array_equal(file.tensor("wide"), expected.astype(np.float32))
    for same in ([6, 2, 8, 2, 10], [Fraction(w, 7) for w in weights], [w / 4 for w in weights]):
        assert merged(updates, same, folder).root == file.root


def test_a_hundred_orders_of_arrival_give_one_model_once_sorted_by_spiffe_id(
    folder: Path, updates
) -> None:
    weight = {update.metadata["node"]: number + 1 for number, update in enumerate(updates)}
    rng = np.random.default_rng(3)
    roots = set()
    for _ in range(100):
        arrived = [updates[place] for place in rng.permutation(5)]
        ordered = sorted(arrived, key=lambda update: update.metadata["node"])
        weights = [weight[update.metadata["node"]] for update in ordered]
        roots.add(merge(ordered, weights, folder / "merged", MERGED).root)
    assert len(roots) == 1


@pytest.mark.parametrize("threads", [1, 2, 5])
def test_the_number_of_threads_cannot_be_seen(folder: Path, updates, threads: int) -> None:
    one = merge(updates, [1, 2, 3, 4, 5], folder / "one", MERGED, threads=1)
    many = merge(updates, [1, 2, 3, 4, 5], folder / "many", MERGED, threads=threads)
    assert many == one
    assert (folder / "many").read_bytes() == (folder / "one").read_bytes()


@pytest.mark.parametrize("copies", [1, 3, 7])
def test_equal_updates_merge_to_themselves_in_every_dtype(tmp_path: Path, copies: int) -> None:
    tensors = every_dtype(seed=4, length=1000)
    files = [saved(tmp_path / str(n), tensors, bfloat16=["BF16"]) for n in range(copies)]
    file = merged(files, [n + 1 for n in range(copies)], tmp_path)
    for name, expected in tensors.items():
        np.testing.assert_array_equal(file.tensor(name), expected)


def test_each_dtype_is_rounded_in_its_own_way(tmp_path: Path) -> None:
    one = {
        "half": np.array([1.0, 65504], "f2"),
        "brain": np.array([0x3F80, 0x4000], np.uint16),  # 1, 2
        "count": np.array([1, 2**62], np.int64),
        "byte": np.array([1, 255], np.uint8),
        "flag": np.array([True, True]),
    }
    two = {
        "half": np.array([1.0 + 2**-10, 65504], "f2"),
        "brain": np.array([0x3F81, 0x4000], np.uint16),  # the next after 1
        "count": np.array([2, 2**62], np.int64),
        "byte": np.array([2, 255], np.uint8),
        "flag": np.array([False, True]),
    }
    files = [saved(tmp_path / name, t, bfloat16=["brain"]) for name, t in (("1", one), ("2", two))]
    even = merged(files, [1, 1], tmp_path)
    assert even.tensor("half").tolist() == [1.0, 65504]
    assert even.tensor("brain").tolist() == [0x3F80, 0x4000]
    assert even.tensor("count").tolist() == [2, 2**62]
    assert even.tensor("byte").tolist() == [2, 255]
    assert even.tensor("flag").tolist() == [False, True]
    assert merged(files, [2, 1], tmp_path).tensor("flag").tolist() == [True, True]


def test_a_tie_of_weighted_integers_is_exactly_a_tie(tmp_path: Path) -> None:
    """(1·50 + 97·1) / 98 is 1.5 and goes to 2; with weights of 1/98 and 97/98 it would be less."""
    files = [saved(tmp_path / str(n), {"n": np.array([n], np.int64)}) for n in (50, 1)]
    assert merged(files, [1, 97], tmp_path).tensor("n").tolist() == [2]


@given(
    columns=npst.arrays(np.float32, (3, 4), elements=st.floats(-(2.0**99), 2.0**99, width=32)),
    weights=st.lists(st.integers(1, 65535), min_size=3, max_size=3),
)
def test_the_mean_is_the_true_mean_but_for_the_last_bit(folder, columns, weights) -> None:
    files = [saved(folder / f"c{n}", {"w": row}) for n, row in enumerate(columns)]
    got = merged(files, weights, folder).tensor("w")
    for place in range(4):
        values = [Fraction(float(columns[n, place])) for n in range(3)]
        exact = sum(w * v for w, v in zip(weights, values, strict=True)) / sum(weights)
        spacing = float(np.spacing(np.abs(np.float32(exact)))) / 2
        cancelled = 1e-15 * max(abs(float(value)) for value in values)
        assert abs(float(got[place]) - exact) <= spacing * (1 + 1e-6) + cancelled
        assert min(values) <= float(got[place]) <= max(values)


def test_memory_holds_blocks_and_not_models(tmp_path: Path) -> None:
    shapes = {"w": (12 * BLOCK,)}
    files = [saved(tmp_path / str(n), floats(n, shapes)) for n in range(2)]
    tracemalloc.start()
    merge(files, [1, 1], tmp_path / "merged", MERGED, threads=2)
    _, peak_bytes = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    # Two threads with two float64 blocks and two float32 ones each; a model is 12 blocks.
    assert peak_bytes < 2 * 32 * BLOCK


def test_weights_are_reduced_to_the_smallest_whole_numbers() -> None:
    assert in_lowest_terms([5, 5, 5]) == [1, 1, 1]
    assert in_lowest_terms([6, 4]) == [3, 2]
    assert in_lowest_terms([Fraction(1, 3), Fraction(1, 2)]) == [2, 3]
    assert in_lowest_terms([0.5, 1.5]) == [1, 3]


def test_weights_that_need_too_many_bits_are_rounded_down_but_none_to_nothing() -> None:
    assert in_bits([3, 2, 2], 3) == [3, 2, 2]
    assert in_bits([4, 2, 2], 3) == [2, 1, 1]
    assert in_bits([10**12, 1, 1], 8) == [251, 1, 1]


@pytest.mark.parametrize(
    "weights", [[1, 0], [1, -1], [1, math.nan], [1, math.inf], [1e-300, 1e300]]
)
def test_weights_that_are_no_weights_are_refused(weights: list[float]) -> None:
    with pytest.raises(ParameterError):
        in_lowest_terms(weights)


def test_what_does_not_belong_together_is_not_merged(tmp_path: Path, updates) -> None:
    stranger = saved(tmp_path / "stranger", every_dtype(), bfloat16=["BF16"])
    with pytest.raises(
        ParameterError, match=r"stranger cannot be merged: tensor 'BF16' is not part"
    ):
        merge([updates[0], stranger], [1, 1], tmp_path / "merged", MERGED)
    with pytest.raises(ParameterError, match="2 files to merge, but 1 weights"):
        merge(updates[:2], [1], tmp_path / "merged", MERGED)
    with pytest.raises(ParameterError, match="nothing to merge"):
        merge([], [], tmp_path / "merged", MERGED)
    assert not (tmp_path / "merged").exists()
