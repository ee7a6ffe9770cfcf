"""What a training process is told when it says hello, and which ones are turned away."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from contracts.messages import Terms
from node_agent.config import Settings
from node_agent.engine.rhythm import adapts, first_batches
from node_agent.errors import ParameterError, TrainingSocketError
from node_agent.joining import METERING
from node_agent.merge.rules import E6, Rule
from node_agent.operations.storage import EXCHANGE
from node_agent.parameters.schema import Schema
from node_agent.trainer import PROTOCOL


def welcome(
    settings: Settings,
    run_id: bytes,
    name: str,
    terms: Terms,
    rule: Rule,
    status: Mapping[str, Any],
) -> dict[str, Any]:
    """The answer to `hello`; see docs/protocol.md."""
    return {
        "do": "welcome",
        "run": "0x" + run_id.hex(),
        "name": name,
        "node": settings.spiffe_id,
        "round": status.get("round"),
        "terms": {
            "minPeers": terms.min_peers,
            "syncFrequency": first_batches(terms.sync_frequency),
            "adaptiveSync": adapts(terms.sync_frequency),
            "maxRounds": terms.max_rounds,
            "mergeMethod": rule.name,
            "mergeParameter": (terms.merge_parameter or rule.default_e6) / E6,
            "metering": METERING[terms.metering],
        },
        "validation": str(settings.validation) if settings.validation else None,
        "directory": str(settings.folder / EXCHANGE),
    }


def admit(message: Mapping[str, Any], schema: Schema) -> None:
    """Refuse a training process that speaks another protocol or trains another model."""
    if message["op"] == "hello" and message.get("protocol") != PROTOCOL:
        raise TrainingSocketError(
            f"The training process speaks protocol {message.get('protocol')}, not {PROTOCOL}.",
            hint="Install the same version for both.",
        )
    if message["op"] == "begin":
        try:
            difference = schema.difference(Schema.from_json(message.get("schema")))
        except ParameterError as error:
            raise TrainingSocketError(str(error), hint=error.hint) from error
        if difference:
            raise TrainingSocketError(
                f"The model is not the one of the run: {difference}",
                hint="Build the model that the initial parameters were made from.",
            )
