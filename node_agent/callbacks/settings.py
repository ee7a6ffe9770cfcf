"""The parameters of `SwarmCallback`: checked once, and compared with what the run's terms fix."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from node_agent.callbacks.errors import InvalidParameter, SwarmRefused

MERGE_METHODS = ("mean", "coordmedian", "geomedian")
CHECK_INS = ("inactive", "snapshot", "active")
MAX_WEIGHTAGE = 100


@dataclass(frozen=True, slots=True)
class Settings:
    """The parameters that are the same for every framework, in the terms' spelling."""

    sync_frequency: int
    min_peers: int
    training_contract: str | None
    merge_method: str
    node_weightage: int
    check_in: str
    total_epochs: int

    @property
    def claims(self) -> dict[str, int | str]:
        """What this script believes of the run; the agent compares it too."""
        return {
            "minPeers": self.min_peers,
            "syncFrequency": self.sync_frequency,
            "mergeMethod": self.merge_method,
            "nodeWeightage": self.node_weightage,
        }


def checked_settings(
    *,
    syncFrequency: int,
    minPeers: int,
    trainingContract: str | None,
    mergeMethod: str,
    nodeWeightage: int,
    checkinModelOnTrainEnd: str,
    totalEpochs: int,
) -> Settings:
    """Check the parameters, under the names that the user knows.

    Raises:
        InvalidParameter: naming the parameter and what it may be.
    """
    if trainingContract is not None and not isinstance(trainingContract, str):
        raise InvalidParameter(f"trainingContract must be a name, not {trainingContract!r}")
    return Settings(
        sync_frequency=_whole_number("syncFrequency", syncFrequency, minimum=1),
        min_peers=_whole_number("minPeers", minPeers, minimum=1),
        training_contract=trainingContract,
        merge_method=_one_of("mergeMethod", mergeMethod, MERGE_METHODS),
        node_weightage=_whole_number(
            "nodeWeightage", nodeWeightage, minimum=1, maximum=MAX_WEIGHTAGE
        ),
        check_in=_one_of("checkinModelOnTrainEnd", checkinModelOnTrainEnd, CHECK_INS),
        total_epochs=_whole_number("totalEpochs", totalEpochs, minimum=0),
    )


def refuse_unknown(unknown: Collection[str], known: Collection[str]) -> None:
    """Raise InvalidParameter for the first unknown parameter, naming the nearest known one."""
    for name in sorted(unknown):
        nearest = difflib.get_close_matches(name, known, n=1)
        hint = f"Did you mean {nearest[0]}?" if nearest else f"Known are {', '.join(known)}."
        raise InvalidParameter(f"SwarmCallback has no parameter {name!r}", hint=hint)


def refuse_disagreement(
    settings: Settings, run_names: Collection[str], terms: Mapping[str, Any]
) -> None:
    """Compare the script's parameters with the terms that all organizations signed.

    Args:
        settings: the script's.
        run_names: what trainingContract may be: the run's name and id.
        terms: what the run fixes of minPeers, syncFrequency and mergeMethod.

    Raises:
        SwarmRefused: naming the parameter, its value in the script and the one in the terms.
    """
    if settings.training_contract is not None and settings.training_contract not in run_names:
        raise SwarmRefused(
            f"trainingContract is {settings.training_contract!r}, but the node agent takes part in "
            f"{' / '.join(run_names)}",
            hint="Leave trainingContract out to take part in whatever run the agent is set to.",
        )
    if settings.node_weightage != 1:
        raise SwarmRefused(
            f"nodeWeightage is {settings.node_weightage}, but weights come from the agreement",
            hint="Leave nodeWeightage out: a weight is what the organizations agreed, not a claim.",
        )
    for name in ("syncFrequency", "minPeers", "mergeMethod"):
        mine, agreed = settings.claims[name], terms.get(name)
        if agreed is not None and str(mine).lower() != str(agreed).lower():
            raise SwarmRefused(
                f"{name} is {mine!r} in this script, but the terms of the run say {agreed!r}",
                hint=f"Set {name}={agreed!r}; the terms were signed by every organization.",
            )


def _whole_number(name: str, value: Any, *, minimum: int, maximum: int | None = None) -> int:
    if type(value) is not int or value < minimum or (maximum is not None and value > maximum):
        upper = "" if maximum is None else f" and at most {maximum}"
        raise InvalidParameter(
            f"{name} must be a whole number, at least {minimum}{upper}, not {value!r}",
            hint="Values from the environment are text: int(os.environ[...]) makes them numbers."
            if isinstance(value, str)
            else "",
        )
    return value


def _one_of(name: str, value: Any, choices: Collection[str]) -> str:
    lowered = value.lower() if isinstance(value, str) else value
    if lowered not in choices:
        raise InvalidParameter(f"{name} must be one of {', '.join(choices)}, not {value!r}")
    return lowered
