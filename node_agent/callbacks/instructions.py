"""What the node agent tells the callback, one JSON object a line, as typed values."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from node_agent.callbacks.errors import AgentProtocolError, SwarmRefused

PROTOCOL = 1


@dataclass(frozen=True, slots=True)
class Welcome:
    """The run this script takes part in; `validation` is the agreed data set, if there is one."""

    run: str
    name: str
    node: str
    round: int
    terms: Mapping[str, Any]
    validation: Path | None
    directory: Path
    """Where the agent keeps files, and the script may."""


@dataclass(frozen=True, slots=True)
class Wait:
    """What the swarm waits for, for the user's eyes."""

    message: str


@dataclass(frozen=True, slots=True)
class Write:
    """Write the parameters to `path`, with `metadata` in the header."""

    path: Path
    metadata: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Evaluate:
    """Measure the models in the files `base` and `merged`, which may be the same file.

    `points` are pairs (s, q): where on the way from base to merged to take the gradient, and how
    much it weighs. The weighted sum goes to the file `gradient`; None when nobody wants it.
    """

    base: Path
    merged: Path
    points: tuple[tuple[float, float], ...]
    gradient: Path | None


@dataclass(frozen=True, slots=True)
class Load:
    """Train on from the parameters in `path`; `base` is their token, named with the next sync.

    `sync_frequency`: batches until then, when the run adapts it; None for as many as before.
    """

    path: Path
    round: int
    base: str
    loss: float | None
    metric: float | None
    sync_frequency: int | None = None


@dataclass(frozen=True, slots=True)
class Stop:
    """The run is over; `path` holds the final parameters, None when there are none."""

    path: Path | None
    reason: str
    round: int


Instruction = Welcome | Wait | Write | Evaluate | Load | Stop


def parse(line: bytes) -> Instruction:
    """Read one line of the agent's.

    Raises:
        SwarmRefused: the agent refuses, with its reason and hint.
        AgentProtocolError: the line is no instruction.
    """
    try:
        message = json.loads(line)
        return _instruction(message["do"], message)
    except (ValueError, TypeError, KeyError) as error:
        raise AgentProtocolError(
            f"the node agent sent a line that makes no sense ({error!r}): {line[:200]!r}",
            hint="Callback and node agent speak different protocols: install the same version.",
        ) from error


def _instruction(kind: str, message: dict[str, Any]) -> Instruction:
    match kind:
        case "wait":
            return Wait(str(message["message"]))
        case "write":
            return Write(Path(message["path"]), dict(message["metadata"]))
        case "evaluate":
            points = tuple((float(s), float(q)) for s, q in message["points"])
            gradient = _path(message["gradient"])
            return Evaluate(Path(message["base"]), Path(message["merged"]), points, gradient)
        case "load":
            loss, metric = _number(message["loss"]), _number(message["metric"])
            batches = message.get("syncFrequency")
            return Load(
                path=Path(message["path"]),
                round=int(message["round"]),
                base=str(message["base"]),
                loss=loss,
                metric=metric,
                sync_frequency=None if batches is None else max(int(batches), 1),
            )
        case "stop":
            return Stop(_path(message["path"]), str(message["reason"]), int(message["round"]))
        case "welcome":
            return Welcome(
                run=str(message["run"]),
                name=str(message["name"]),
                node=str(message["node"]),
                round=int(message["round"]),
                terms=dict(message["terms"]),
                validation=_path(message["validation"]),
                directory=Path(message["directory"]),
            )
        case "refuse":
            raise SwarmRefused(str(message["error"]), hint=str(message.get("hint") or ""))
        case _:
            raise ValueError(f"unknown instruction {kind!r}")


def _path(value: str | None) -> Path | None:
    return None if value is None else Path(value)


def _number(value: float | None) -> float | None:
    return None if value is None else float(value)
