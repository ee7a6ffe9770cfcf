"""Schemas: what a model looks like, and how two of them differ."""

from __future__ import annotations

import json

import pytest

from node_agent.errors import ParameterError
from node_agent.parameters.schema import Schema, TensorSpec, schema_hash

SMALL = {"layer.weight": ["F32", [8, 30]], "layer.steps": ["I64", []], "mask": ["BOOL", [8]]}


def test_a_schema_travels_as_json_and_back() -> None:
    schema = Schema.from_json(SMALL)
    assert schema.to_json() == SMALL
    assert Schema.from_json(json.loads(schema.canonical())) == schema
    assert schema["layer.weight"] == TensorSpec("F32", (8, 30))


def test_the_hash_depends_on_nothing_but_the_content() -> None:
    one = Schema.from_json(SMALL)
    other = Schema.from_json(dict(reversed(SMALL.items())))
    assert schema_hash(one) == schema_hash(other)
    assert hash(one) == hash(other)
    assert schema_hash(Schema.from_json(SMALL | {"mask": ["BOOL", [9]]})) != schema_hash(one)


def test_the_hash_of_a_schema_never_changes() -> None:
    """It stands in signed agreements."""
    assert Schema.from_json(SMALL).canonical() == (
        b'{"layer.steps":["I64",[]],"layer.weight":["F32",[8,30]],"mask":["BOOL",[8]]}'
    )


def test_only_float_tensors_have_gradients() -> None:
    schema = Schema.from_json(SMALL | {"half": ["BF16", [2]]})
    assert list(schema.floats()) == ["half", "layer.weight"]


@pytest.mark.parametrize(
    ("other", "words"),
    [
        (SMALL, None),
        ({"mask": ["BOOL", [8]]}, "tensor 'layer.steps' is missing"),
        (SMALL | {"new": ["F32", []]}, "tensor 'new' is not part of the model"),
        (
            SMALL | {"layer.weight": ["F16", [8, 30]]},
            "tensor 'layer.weight' is F16 [8, 30], expected F32 [8, 30]",
        ),
    ],
)
def test_a_difference_is_told_in_words(other: dict[str, list[object]], words: str | None) -> None:
    assert Schema.from_json(SMALL).difference(Schema.from_json(other)) == words


@pytest.mark.parametrize(
    "value",
    [
        [],
        {"w": "F32"},
        {"w": ["F32"]},
        {"w": ["F32", [1], 1]},
        {"w": ["F64", [1]]},
        {"w": ["F32", [-1]]},
        {"w": ["F32", 3]},
        {"__metadata__": ["F32", [1]]},
    ],
)
def test_what_is_no_schema_is_refused(value: object) -> None:
    with pytest.raises(ParameterError):
        Schema.from_json(value)
