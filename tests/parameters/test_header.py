"""A malformed file is refused with a reason, whatever is wrong with it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from node_agent.errors import ParameterError
from node_agent.parameters.format import ParameterFile
from node_agent.parameters.header import HEADER_LIMIT, decode
from tests.parameters.models import saved

Entries = dict[str, Any]


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """A file with two float32 tensors, a (8 bytes) and b (12 bytes), and an int8 c (3 bytes)."""
    path = tmp_path_factory.mktemp("good") / "m"
    tensors = {"a": np.ones(2, "f4"), "b": np.ones((3, 1), "f4"), "c": np.ones(3, "i1")}
    saved(path, tensors)
    return path.read_bytes()


def refused(path: Path, content: bytes) -> str:
    """The message with which a file of this content is refused."""
    path.write_bytes(content)
    with pytest.raises(ParameterError) as refusal:
        ParameterFile.open(path)
    return str(refusal.value)


def with_text(text: bytes, data: bytes) -> bytes:
    text += b" " * (-len(text) % 8)
    return len(text).to_bytes(8, "little") + text + data


def split(content: bytes) -> tuple[Entries, bytes]:
    start = 8 + int.from_bytes(content[:8], "little")
    return json.loads(content[8:start]), content[start:]


def changed(content: bytes, change: Callable[[Entries], object]) -> bytes:
    """The file with its header's entries changed, otherwise canonical."""
    entries, data = split(content)
    change(entries)
    text = json.dumps(entries, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return with_text(text.encode(), data)


def test_the_unchanged_file_is_accepted(good: bytes) -> None:
    assert decode(good, len(good)).schema["b"].shape == (3, 1)


def test_every_truncation_is_noticed(tmp_path: Path, good: bytes) -> None:
    for length in range(len(good)):
        assert "truncated" in refused(tmp_path / "m", good[:length])


def test_trailing_bytes_are_noticed(tmp_path: Path, good: bytes) -> None:
    assert "trailing" in refused(tmp_path / "m", good + b"\0")


@pytest.mark.parametrize("length", [HEADER_LIMIT + 1, 2**63, 2**64 - 1])
def test_a_huge_header_is_refused_before_it_is_read(tmp_path, good, length: int) -> None:
    assert "more than" in refused(tmp_path / "m", length.to_bytes(8, "little") + good[8:])


def place(name: str, begin: Any, end: Any) -> Callable[[Entries], object]:
    return lambda entries: entries[name].update(data_offsets=[begin, end])


def entry(name: str, **values: Any) -> Callable[[Entries], object]:
    return lambda entries: entries[name].update(values)


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        (place("b", 4, 16), "'a' and 'b' overlap"),
        (place("a", 0, 12), "span 12"),
        (place("c", 21, 24), "belong at [20, 23]"),
        (place("a", -8, 0), "run backwards"),
        (place("a", 8, 0), "run backwards"),
        (place("a", 0.0, 8), "whole numbers"),
        (place("a", False, 8), "whole numbers"),
        (entry("a", data_offsets=[0, 8, 8]), "whole numbers"),
        (entry("a", data_offsets=None), "whole numbers"),
        (lambda e: e.update(a=e["b"], b=e["a"]), "belong at"),
        (entry("a", dtype="F64"), "'F64' is not allowed"),
        (entry("a", dtype="float32"), "not allowed"),
        (entry("a", dtype=["F32"]), "not allowed"),
        (entry("a", dtype="I64"), "2 × 8 bytes"),
        (entry("a", shape=[3]), "3 × 4 bytes"),
        (entry("a", shape=[-2]), "-2 is no length"),
        (entry("a", shape=[2.0]), "2.0 is no length"),
        (entry("a", shape=[True, 2]), "True is no length"),
        (entry("a", shape="2"), "no list"),
        (entry("a", shape=[1] * 33), "no list"),
        (entry("a", shape=[2**40, 2**40, 0]), "too large"),
        (entry("a", extra=1), "exactly"),
        (lambda e: e["a"].pop("shape"), "exactly"),
        (lambda e: e.update(a=[]), "exactly"),
        (lambda e: e.pop("b"), "belong at"),
        (lambda e: e.pop("__metadata__"), "__metadata__"),
        (lambda e: e.update(__metadata__=[]), "__metadata__"),
        (lambda e: e.update(__metadata__={"round": 3}), "'round' is not text"),
        (lambda e: e.update(__metadata__={"round": None}), "'round' is not text"),
    ],
)
def test_every_lie_in_a_header_is_named(tmp_path, good, change, complaint: str) -> None:
    assert complaint in refused(tmp_path / "m", changed(good, change))


NO_NAME = b'"\\ud800":{"data_offsets":[0,0],"dtype":"F32","shape":[0]}'
NO_LENGTH = b'"a":{"data_offsets":[0,0],"dtype":"F32","shape":[NaN]}'
ENDLESS = b'"a":{"data_offsets":[0,1' + b"0" * 5000 + b"]}"


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        (b"", "not JSON"),
        (b"{", "not JSON"),
        (b"[]", "not a JSON object"),
        (b'"text"', "not a JSON object"),
        (b"[" * 100_000, "not JSON"),
        (b'{"__metadata__":{}}\xff', "not UTF-8 at byte 19"),
        (b'{"__metadata__":{},"__metadata__":{}}', "'__metadata__' twice"),
        (b'{"__metadata__":{"round":"1","round":"2"}}', "'round' twice"),
        (b'{"__metadata__":{"round":"\\ud800"}}', "not valid Unicode"),
        (b'{"__metadata__":{},' + NO_NAME + b"}", "not valid Unicode"),
        (b'{"__metadata__":{},' + NO_LENGTH + b"}", "no length"),
        (b'{"__metadata__":{},' + ENDLESS + b"}", "not JSON"),
    ],
)
def test_text_that_is_no_header_is_refused(tmp_path, text: bytes, complaint: str) -> None:
    assert complaint in refused(tmp_path / "m", with_text(text, b""))


@pytest.mark.parametrize(
    "respell",
    [
        lambda text: text.replace(b",", b", ", 1),
        lambda text: b" " + text,
        lambda text: text.rstrip() + b" " * 16,
        lambda text: text.rstrip() + b"\n" * 8,
        lambda text: text.replace(b'"kind"', b'"\\u006bind"'),
        lambda text: text.replace(b"[0,8]", b"[-0,8]"),
        lambda text: text.replace(
            b'"data_offsets":[0,8],"dtype":"F32"', b'"dtype":"F32","data_offsets":[0,8]'
        ),
    ],
    ids=["space", "leading", "padding", "newlines", "escape", "minus zero", "order"],
)
def test_a_header_that_says_the_same_in_other_bytes_is_refused(tmp_path, good, respell) -> None:
    start = 8 + int.from_bytes(good[:8], "little")
    content = with_text(respell(good[8:start]), good[start:])
    assert content != good
    assert "canonical" in refused(tmp_path / "m", content)


@settings(max_examples=300)
@given(data=st.data())
def test_an_altered_byte_of_the_header_is_refused_or_changes_what_is_read(good, data) -> None:
    start = 8 + int.from_bytes(good[:8], "little")
    at, value = data.draw(st.integers(0, start - 1)), data.draw(st.integers(0, 255))
    altered = good[:at] + bytes([value]) + good[at + 1 :]
    try:
        header = decode(altered, len(altered))
    except ParameterError:
        return
    original = decode(good, len(good))
    assert altered == good or (header.metadata, header.schema) != (
        original.metadata,
        original.schema,
    )


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner),
    max_leaves=8,
)
tensor_entries = st.fixed_dictionaries(
    {
        "data_offsets": st.lists(st.integers(-1, 20), min_size=2, max_size=2) | json_values,
        "dtype": st.sampled_from(["F32", "BF16", "U8", "BOOL", "F64"]) | json_values,
        "shape": st.lists(st.integers(-1, 5), max_size=3) | json_values,
    }
)


@settings(max_examples=300)
@given(
    entries=st.dictionaries(st.text(max_size=3), tensor_entries | json_values, max_size=4),
    metadata=st.just({}) | json_values,
    data=st.binary(max_size=24),
)
def test_arbitrary_headers_are_refused_as_parameter_errors_and_nothing_else(
    entries, metadata, data: bytes
) -> None:
    text = json.dumps({"__metadata__": metadata, **entries}, sort_keys=True, separators=(",", ":"))
    content = with_text(text.encode(), data)
    try:
        header = decode(content, len(content))
    except ParameterError:
        return
    assert header.data_start + header.data_size == len(content)


@given(content=st.binary(max_size=64))
def test_arbitrary_bytes_are_refused(content: bytes) -> None:
    with pytest.raises(ParameterError):
        decode(content, len(content))
