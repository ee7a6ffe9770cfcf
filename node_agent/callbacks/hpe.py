"""Parameters and environment of programs written for HPE Swarm Learning, in this system's terms.

The import names themselves, `swarmlearning.tf` and so on, are in `node_agent/hpe`.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from node_agent.callbacks.errors import InvalidParameter

DEFAULT_CONTRACT = "defaultbb.cqdb.sml.hpe"
"""What their programs call the run when they do not care."""
MODULES = {"KERAS": "tf", "PYTORCH": "pyt", "HF_TRANSFORMER": "hf_transformers"}
ENVIRONMENT = {
    "SL_MAKE_ME_ADMIN": "who may lead is decided by the run and the node agent's settings",
    "SL_LEADER_FAILURE_BASE_TIMEOUT": "leaderTimeout in the terms of the run",
    "SL_WAIT_FOR_FULL_QUORUM_SECONDS": "quorumGrace in the terms of the run",
    "SL_RAM_INTENSIVE": "merging always goes block by block over mapped files",
    "SL_MODEL_PARAMS_COMPRESSION_THRESHOLD_MB": "parameter files travel as they are",
}
"""What stands here for a setting that theirs reads from the environment."""


@dataclass(frozen=True, slots=True)
class Translated:
    """Parameters for the callback of the framework, and what the user should be told of them."""

    parameters: dict[str, Any]
    notes: tuple[str, ...]


def translated(platform: str, given: Mapping[str, Any], applicable: Collection[str]) -> Translated:
    """Turn a program's parameters into those of the framework's own callback.

    Args:
        platform: KERAS, PYTORCH or HF_TRANSFORMER, by the module it was imported from.
        given: what the program passed by name, beyond syncFrequency and minPeers.
        applicable: the parameters that the framework's callback has of its own.

    Raises:
        InvalidParameter: mlPlatform is another module's, or adsValData is missing.
    """
    parameters = dict(given)
    stated = parameters.pop("mlPlatform", platform)
    if not isinstance(stated, str) or stated.upper() not in MODULES:
        raise InvalidParameter(f"mlPlatform must be one of {', '.join(MODULES)}, not {stated!r}")
    if stated.upper() != platform:
        raise InvalidParameter(
            f"mlPlatform is {stated!r} in a callback of swarmlearning.{MODULES[platform]}",
            hint=f"from swarmlearning.{MODULES[stated.upper()]} import SwarmCallback",
        )
    if parameters.get("useAdaptiveSync") and parameters.get("adsValData") is None:
        raise InvalidParameter(
            "useAdaptiveSync needs adsValData",
            hint="Pass the validation data that the sync frequency adapts to.",
        )
    if parameters.get("trainingContract") == DEFAULT_CONTRACT:
        parameters["trainingContract"] = None
    elsewhere = {
        "model",
        "lossFunction",
        "lossFunctionArgs",
        "metricFunction",
        "metricFunctionArgs",
        "hfMode",
    } - set(applicable)
    notes = [
        f"{name} means nothing to a callback of {platform}, and is ignored"
        for name in sorted(elsewhere & parameters.keys())
        if parameters[name] is not None
    ]
    notes += [
        f"{name} is set to {os.environ[name]!r}; here: {meaning}"
        for name, meaning in ENVIRONMENT.items()
        if name in os.environ
    ]
    kept = {name: value for name, value in parameters.items() if name not in elsewhere}
    return Translated(kept | {"termsWin": True}, tuple(notes))
