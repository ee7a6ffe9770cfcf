"""What the headers of a round's files say: nobody can pass off another's file, or an old one."""

from __future__ import annotations

from collections.abc import Mapping

from node_agent.engine.context import RoundContext
from node_agent.merge.rules import STATE, Rule
from node_agent.parameters import header
from node_agent.parameters.schema import Schema

_MOST_DIGITS = 10  # of a round's number, which has 32 bits


def update_metadata(context: RoundContext, spiffe_id: str) -> dict[str, str]:
    """The header of one node's update in this round."""
    return {
        **_metadata("update", context.run_hex, context.round, context.prev_hex),
        "node": spiffe_id,
    }


def merged_metadata(context: RoundContext) -> dict[str, str]:
    """The header of this round's merged model, the same at every node."""
    return _metadata("merged", context.run_hex, context.round, context.prev_hex)


def merged_sizes(schema: Schema, rule: Rule, latest_round: int) -> list[int]:
    """The sizes in bytes that a merged model of any round so far may have, likeliest first.

    All have one schema and hashes of one length; only the round's number of digits varies, and
    padding hides most of that. So the size of a model is known before a byte of it is fetched. A
    run that continues another one starts from a model of any round: these sizes come last.
    """
    state = {STATE: "0" * 64}
    own, other = (state, {}) if rule.state_schema else ({}, state)
    return list(
        dict.fromkeys(
            [
                *_sizes(schema, "merged", len(str(latest_round)), own),
                *_sizes(schema, "merged", _MOST_DIGITS, own),
                *_sizes(schema, "merged", _MOST_DIGITS, other),
            ]
        )
    )


def state_sizes(schema: Schema, rule: Rule, latest_round: int) -> list[int]:
    """The sizes in bytes that a state of the merge rule may have, likeliest first."""
    assert rule.state_schema is not None, "only rules that keep a state have files of it"
    return _sizes(rule.state_schema(schema), STATE, len(str(latest_round)), {})


def _sizes(schema: Schema, kind: str, digits: int, more: Mapping[str, str]) -> list[int]:
    """Of files of rounds of so many digits and fewer."""
    data = sum(spec.size for spec in schema.values())
    zero = "0x" + "0" * 64
    rounds = (10 ** (count - 1) for count in range(digits, 0, -1))
    sizes = [
        len(header.encode(schema, {**_metadata(kind, zero, number, zero), **more})) + data
        for number in rounds
    ]
    return list(dict.fromkeys(sizes))


def _metadata(kind: str, run: str, round_number: int, prev: str) -> dict[str, str]:
    return {"format": "swarm-1", "kind": kind, "run": run, "round": str(round_number), "prev": prev}
