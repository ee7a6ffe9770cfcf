"""Parameter files: one form for one content, read without a copy."""

from __future__ import annotations

import gc
from pathlib import Path

import numpy as np
import pytest
from blake3 import blake3
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from node_agent.errors import ParameterError
from node_agent.parameters.dtypes import DTYPES, TAG_OF_STORAGE
from node_agent.parameters.format import ParameterFile, replacing, schema_of, write
from tests.parameters.models import INITIAL, every_dtype, floats, saved

arrays = st.sampled_from(sorted(TAG_OF_STORAGE, key=str)).flatmap(
    lambda dtype: npst.arrays(dtype, npst.array_shapes(min_dims=0, max_dims=3, min_side=0))
)
names = st.text(st.characters(exclude_categories=["Cs"]), max_size=12).filter(
    lambda name: name != "__metadata__"
)
models = st.dictionaries(names, arrays, max_size=6)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("files")


@given(tensors=models, metadata=st.dictionaries(names, names, max_size=4))
def test_what_is_written_is_what_is_read(folder: Path, tensors, metadata) -> None:
    written = write(folder / "m", tensors, metadata)
    file = ParameterFile.open(folder / "m")
    assert (file.root, file.size) == (written.root, written.size)
    assert file.metadata == metadata
    assert file.tensors().keys() == tensors.keys()
    for name, expected in tensors.items():
        got = file.tensor(name)
        assert (got.dtype, got.shape) == (expected.dtype, expected.shape)
        assert got.tobytes() == expected.tobytes()


@given(tensors=models, order=st.randoms(use_true_random=False))
def test_the_order_of_tensors_and_metadata_cannot_be_seen(folder: Path, tensors, order) -> None:
    shuffled = list(tensors.items())
    order.shuffle(shuffled)
    write(folder / "a", tensors, {"a": "1", "b": "2"})
    write(folder / "b", dict(shuffled), {"b": "2", "a": "1"})
    assert (folder / "a").read_bytes() == (folder / "b").read_bytes()


def test_the_root_is_the_blake3_of_the_whole_file(tmp_path: Path) -> None:
    written = write(tmp_path / "m", every_dtype(), INITIAL, bfloat16=["BF16"])
    content = (tmp_path / "m").read_bytes()
    assert written.root == blake3(content).digest()
    assert written.size == len(content)


def test_the_bytes_of_a_file_never_change(tmp_path: Path) -> None:
    """Roots of initial models stand in signed agreements: this format is forever."""
    tensors = {"b": np.array([[1.5, -2.0]], np.float32), "n": np.array(3), "a": np.array([True])}
    write(tmp_path / "m", tensors, INITIAL)
    header = (
        b'{"__metadata__":{"format":"swarm-1","kind":"initial"},'
        b'"a":{"data_offsets":[16,17],"dtype":"BOOL","shape":[1]},'
        b'"b":{"data_offsets":[8,16],"dtype":"F32","shape":[1,2]},'
        b'"n":{"data_offsets":[0,8],"dtype":"I64","shape":[]}}      '
    )
    data = bytes.fromhex("0300000000000000 0000c03f 000000c0 01")
    assert len(header) % 8 == 0
    assert (tmp_path / "m").read_bytes() == len(header).to_bytes(8, "little") + header + data


@pytest.mark.parametrize(
    "same",
    [
        lambda a: a.astype(">f4"),
        lambda a: np.asfortranarray(a),
        lambda a: np.repeat(a, 2, axis=1)[:, ::2],
    ],
    ids=["big-endian", "column by column", "strided"],
)
def test_the_layout_in_memory_cannot_be_seen(tmp_path: Path, same) -> None:
    array = floats(1, {"w": (3, 5)})["w"]
    assert write(tmp_path / "a", {"w": array}, INITIAL) == write(
        tmp_path / "b", {"w": same(array)}, INITIAL
    )


def test_all_numbers_of_a_dtype_lie_side_by_side_and_aligned(tmp_path: Path) -> None:
    tensors = every_dtype() | {"another": np.ones((2, 3), np.float32)}
    file = saved(tmp_path / "m", tensors, bfloat16=["BF16"])
    sections = file.sections()
    assert list(sections) == list(DTYPES)
    np.testing.assert_array_equal(sections["F32"], [*tensors["F32"], *([1] * 6)])
    for tag, section in sections.items():
        assert section.flags.aligned
        assert section.ctypes.data % section.itemsize == 0
        assert section.dtype == DTYPES[tag].storage


def test_arrays_are_read_only_views_that_outlive_the_file_object(tmp_path: Path) -> None:
    array = saved(tmp_path / "m", {"w": np.arange(4, dtype=np.float32)}).tensor("w")
    gc.collect()
    assert array.tolist() == [0, 1, 2, 3]
    assert not array.flags.owndata
    with pytest.raises(ValueError, match="read-only"):
        array[0] = 1


def test_bfloat16_travels_as_bits_and_keeps_its_name(tmp_path: Path) -> None:
    bits = np.array([0x3F80, 0x7F80, 0xFFC0], np.uint16)
    file = saved(tmp_path / "m", {"w": bits}, bfloat16=["w"])
    assert file.schema["w"].dtype == "BF16"
    assert file.tensor("w").tolist() == bits.tolist()


@pytest.mark.parametrize(
    ("tensors", "bfloat16", "hint"),
    [
        ({"w": np.zeros(2)}, [], "float32"),
        ({"w": np.zeros(2, np.uint16)}, [], "bfloat16="),
        ({"w": np.zeros(2, np.complex64)}, [], "F32"),
        ({"w": np.array(["text"])}, [], "F32"),
        ({"w": np.zeros(2, np.float32)}, ["w"], ""),
        ({"w": np.zeros(2, np.float32)}, ["other"], ""),
        ({"__metadata__": np.zeros(2, np.float32)}, [], ""),
        ({"\ud800": np.zeros(2, np.float32)}, [], ""),
    ],
)
def test_what_the_format_cannot_hold_is_refused(tmp_path, tensors, bfloat16, hint) -> None:
    with pytest.raises(ParameterError) as refusal:
        write(tmp_path / "m", tensors, INITIAL, bfloat16=bfloat16)
    assert hint in refusal.value.hint
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("metadata", [{"round": 3}, {3: "round"}, {"node": "\ud800"}])
def test_metadata_are_text_to_text(tmp_path: Path, metadata) -> None:
    with pytest.raises(ParameterError):
        write(tmp_path / "m", {}, metadata)


def test_a_file_that_cannot_be_finished_leaves_the_old_one_and_nothing_else(tmp_path: Path) -> None:
    old = write(tmp_path / "m", {"w": np.ones(3, np.float32)}, INITIAL)

    def fill_the_disk() -> None:
        with replacing(tmp_path / "m") as out:
            out.write(b"half of it")
            raise OSError("the disk is full")

    with pytest.raises(OSError, match="the disk is full"):
        fill_the_disk()
    assert ParameterFile.open(tmp_path / "m").root == old.root
    assert [path.name for path in tmp_path.iterdir()] == ["m"]


def test_the_schema_of_a_file_is_the_schema_of_its_tensors(tmp_path: Path) -> None:
    tensors = every_dtype()
    file = saved(tmp_path / "m", tensors, bfloat16=["BF16"])
    assert file.schema == schema_of(tensors, bfloat16=["BF16"])


def test_the_safetensors_library_reads_our_files_and_lays_out_data_as_we_do(tmp_path: Path) -> None:
    safetensors = pytest.importorskip("safetensors.numpy")
    tensors = every_dtype() | {"scalar": np.array(2.5, np.float32), "none": np.zeros((0, 3), "f2")}
    del tensors["BF16"]  # NumPy cannot hold it, so that library cannot hand it over
    file = saved(tmp_path / "m", tensors)
    loaded = safetensors.load_file(tmp_path / "m")
    for name, expected in tensors.items():
        assert (loaded[name].dtype, loaded[name].shape) == (expected.dtype, expected.shape)
        assert loaded[name].tobytes() == expected.tobytes()
    theirs = safetensors.save(tensors)
    size = sum(array.nbytes for array in tensors.values())
    assert theirs[-size:] == (tmp_path / "m").read_bytes()[-size:]
    assert file.size > size
