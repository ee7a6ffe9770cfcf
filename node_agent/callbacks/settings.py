"""The parameters of `SwarmCallback`: checked once, and compared with what the run's terms fix."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from node_agent.callbacks.errors import InvalidParameter, SwarmRefused
from node_agent.merge.registry import all_rules

HPE_MERGE_METHODS = {"coordmedian": "coordinate-median", "geomedian": "geometric-median"}
CHECK_INS = ("inactive", "snapshot", "active")
MAX_WEIGHTAGE = 100


@dataclass(frozen=True, slots=True)
class Settings:
    """The parameters that are the same for every framework, in the terms' spelling."""

    sync_frequency: int
    min_peers: int
    training_contract: str | None
    merge_method: str | None
    node_weightage: int
    check_in: str
    total_epochs: int
    terms_win: bool = False
    """Log what the script states otherwise than the terms, as HPE's programs need it, or refuse?"""
    adaptive: bool | None = None
    """Does the script want the sync frequency to adapt? None when it does not say."""

    @property
    def claims(self) -> dict[str, int | str | None]:
        """What this script believes of the run; the agent compares it too."""
        return {
            "minPeers": self.min_peers,
            "syncFrequency": self.sync_frequency,
            "mergeMethod": self.merge_method,
            "nodeWeightage": self.node_weightage,
        }


COMMON: Mapping[str, Any] = {
    "trainingContract": None,
    "mergeMethod": None,
    "nodeWeightage": 1,
    "checkinModelOnTrainEnd": "snapshot",
    "totalEpochs": 0,
    "useAdaptiveSync": None,
    "termsWin": False,
}
"""Parameters that every framework's callback takes, and their defaults.

`trainingContract`: name or id of the run, None for whatever run the agent is set to. `mergeMethod`:
name of a merge rule, as in the terms of the run, which fix it. `nodeWeightage`: accepted for
compatibility, weights come from the agreement. `checkinModelOnTrainEnd`: what this node stands for
once it has finished and others go on: inactive (nothing), snapshot (its parameters when it
stopped), active (the last merged). `totalEpochs`: shown with the progress. `useAdaptiveSync`: only
compared with the terms, since all sites sync together. `termsWin`: what the terms fix and the
script states otherwise is logged, not refused.
"""


def settings_of(
    syncFrequency: int, minPeers: int, given: Mapping[str, Any], own: Collection[str] = ()
) -> Settings:
    """Check the parameters that all frameworks share.

    Args:
        syncFrequency: batches between syncs.
        minPeers: organizations needed to seal a round.
        given: the others by name; those of COMMON.
        own: names of the framework's own parameters, for the hint if `given` has unknown ones.

    Raises:
        InvalidParameter: naming the parameter and what it may be.
    """
    refuse_unknown(given.keys() - COMMON.keys(), ["syncFrequency", "minPeers", *COMMON, *own])
    return checked_settings(
        **{"syncFrequency": syncFrequency, "minPeers": minPeers, **COMMON, **given}
    )


def checked_settings(
    *,
    syncFrequency: int,
    minPeers: int,
    trainingContract: str | None,
    mergeMethod: str | None,
    nodeWeightage: int,
    checkinModelOnTrainEnd: str,
    totalEpochs: int,
    useAdaptiveSync: bool | None = None,
    termsWin: bool = False,
) -> Settings:
    """Check the parameters, under the names that the user knows.

    Raises:
        InvalidParameter: naming the parameter and what it may be.
    """
    if trainingContract is not None and not isinstance(trainingContract, str):
        raise InvalidParameter(f"trainingContract must be a name, not {trainingContract!r}")
    for name, value in (("useAdaptiveSync", useAdaptiveSync), ("termsWin", termsWin)):
        if value is not None and type(value) is not bool:
            raise InvalidParameter(f"{name} must be True or False, not {value!r}")
    return Settings(
        sync_frequency=_whole_number("syncFrequency", syncFrequency, minimum=1),
        min_peers=_whole_number("minPeers", minPeers, minimum=1),
        training_contract=trainingContract,
        merge_method=None if mergeMethod is None else _merge_method(mergeMethod),
        node_weightage=_whole_number(
            "nodeWeightage", nodeWeightage, minimum=1, maximum=MAX_WEIGHTAGE
        ),
        check_in=_one_of("checkinModelOnTrainEnd", checkinModelOnTrainEnd, CHECK_INS),
        total_epochs=_whole_number("totalEpochs", totalEpochs, minimum=0),
        terms_win=termsWin,
        adaptive=useAdaptiveSync,
    )


def refuse_unknown(unknown: Collection[str], known: Collection[str]) -> None:
    """Raise InvalidParameter for the first unknown parameter, naming the nearest known one."""
    for name in sorted(unknown):
        nearest = difflib.get_close_matches(name, known, n=1)
        hint = f"Did you mean {nearest[0]}?" if nearest else f"Known are {', '.join(known)}."
        raise InvalidParameter(f"SwarmCallback has no parameter {name!r}", hint=hint)


def agreed(settings: Settings, run_names: Collection[str], terms: Mapping[str, Any]) -> list[str]:
    """Compare the script's parameters with the terms that all organizations signed.

    Args:
        settings: the script's.
        run_names: what trainingContract may be: the run's name and id.
        terms: what the run fixes of minPeers, syncFrequency and mergeMethod.

    Returns:
        What differs, in words; the terms win.

    Raises:
        SwarmRefused: something differs and `settings.terms_win` is not set; names the parameter,
            its value in the script and the one in the terms.
    """
    differences = list(_differences(settings, run_names, terms))
    if differences and not settings.terms_win:
        message, hint = differences[0]
        raise SwarmRefused(message, hint=hint)
    return [message for message, _ in differences]


def _differences(
    settings: Settings, run_names: Collection[str], terms: Mapping[str, Any]
) -> Iterator[tuple[str, str]]:
    """Yield a message and a hint for each."""
    if settings.training_contract is not None and settings.training_contract not in run_names:
        yield (
            f"trainingContract is {settings.training_contract!r}, but the node agent takes part in "
            f"{' / '.join(run_names)}",
            "Leave trainingContract out to take part in whatever run the agent is set to.",
        )
    if settings.node_weightage != 1:
        yield (
            f"nodeWeightage is {settings.node_weightage}, but weights come from the agreement",
            "Leave nodeWeightage out: a weight is what the organizations agreed, not a claim.",
        )
    for name in ("syncFrequency", "minPeers", "mergeMethod"):
        mine, fixed = settings.claims[name], terms.get(name)
        if None not in (mine, fixed) and str(mine).lower() != str(fixed).lower():
            yield (
                f"{name} is {mine!r} in this script, but the terms of the run say {fixed!r}",
                f"Set {name}={fixed!r}; the terms were signed by every organization.",
            )
    adapts = bool(terms.get("adaptiveSync", False))
    if settings.adaptive is not None and settings.adaptive != adapts:
        yield (
            f"useAdaptiveSync is {settings.adaptive}, but the terms of the run say {adapts}",
            "Leave useAdaptiveSync out: all sites have to sync at the same time.",
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


def _merge_method(name: Any) -> str:
    """Return the rule's own name; HPE Swarm Learning has shorter ones for two of them."""
    known = [rule.name for rule in all_rules()]
    stated = _one_of("mergeMethod", name, [*known, *HPE_MERGE_METHODS])
    return HPE_MERGE_METHODS.get(stated, stated)


def _one_of(name: str, value: Any, choices: Collection[str]) -> str:
    lowered = value.lower() if isinstance(value, str) else value
    if lowered not in choices:
        raise InvalidParameter(f"{name} must be one of {', '.join(choices)}, not {value!r}")
    return lowered
