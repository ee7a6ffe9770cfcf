"""All merge rules by number and name, and the one function that runs them.

    outcome = merge(terms.merge_rule, files, weights, out_path, metadata,
                    parameter_e6=terms.merge_parameter, base=base)

A rule that does not come with the agent is a `Rule` that an installed package names in its entry
points, with a number from 128 to 255; all sites of an agreement install the same version of it.

    [project.entry-points."swarm.merge_rules"]
    my-rule = "my_package:RULE"
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from fractions import Fraction
from functools import cache
from importlib.metadata import entry_points
from pathlib import Path

from node_agent.errors import ConfigError, ParameterError
from node_agent.merge.blocks import common_schema
from node_agent.merge.rules import BUILT_IN, STATE, Outcome, Rule, Work
from node_agent.merge.weights import in_lowest_terms
from node_agent.parameters.format import ParameterFile

ENTRY_POINTS = "swarm.merge_rules"
PLUG_IN_NUMBERS = range(128, 256)


def merge(
    rule: int | str,
    files: Sequence[ParameterFile],
    weights: Sequence[int | float | Fraction],
    out_path: str | os.PathLike[str],
    metadata: Mapping[str, str],
    *,
    parameter_e6: int = 0,
    base: ParameterFile | None = None,
    state: ParameterFile | None = None,
    state_path: str | os.PathLike[str] | None = None,
    threads: int = 2,
) -> Outcome:
    """Merge parameter files of one schema into one.

    Args:
        rule: number or name.
        files: checked updates (finite numbers). Their order does not matter where each header
            names another `node`: they are merged in the order of those SPIFFE IDs.
        weights: one a file, positive; only their ratios count.
        out_path: appears once complete.
        metadata: of the merged file; rules that keep a state add its root under `state`.
        parameter_e6: of the rule, in 1e-6; zero for its default.
        base: the model that the round started from.
        state: the file that `base` names under `state`, if it is of the same run.
        state_path: where to write the new state; appears once complete, before `out_path`.
        threads: how many blocks are computed at a time; does not change the result.

    Raises:
        ConfigError: no such rule, or a parameter that it does not take.
        ParameterError: files, weights, base or state that do not belong together.
    """
    chosen = find_rule(rule, parameter_e6)
    if len(weights) != len(files):
        raise ParameterError(f"{len(files)} files to merge, but {len(weights)} weights")
    common_schema([*files, *([base] if base else [])])
    if chosen.state_schema:
        _check_state(state, state_root(base, metadata))
    order = sorted(range(len(files)), key=lambda place: files[place].metadata.get("node", ""))
    ratio = in_lowest_terms(weights)
    work = Work(
        files=tuple(files[place] for place in order),
        ratio=tuple(ratio[place] for place in order),
        parameter_e6=parameter_e6 or chosen.default_e6,
        base=base,
        state=state,
        out_path=Path(out_path),
        state_path=Path(state_path) if state_path else None,
        metadata=metadata,
        threads=threads,
    )
    outcome = chosen.apply(work)
    if outcome.coefficients is None:
        return outcome
    as_given = dict(zip(order, outcome.coefficients, strict=True))
    coefficients = tuple(as_given[place] for place in range(len(files)))
    return Outcome(outcome.written, coefficients, outcome.state)


def find_rule(rule: int | str, parameter_e6: int = 0) -> Rule:
    """Return the rule of this number or name.

    Raises:
        ConfigError: there is none here, or it does not take this parameter.
    """
    known = all_rules() if _needs_plug_ins(rule) else BUILT_IN
    for each in known:
        if rule in (each.number, each.name):
            if parameter_e6 > each.largest_e6:
                raise ConfigError(
                    f"the merge rule {each.name} takes a parameter of at most "
                    f"{each.largest_e6 / 1e6}, not {parameter_e6 / 1e6}"
                )
            return each
    raise ConfigError(
        f"the merge rule {rule!r} is not known here",
        hint=f"Known are {', '.join(f'{each.number} {each.name}' for each in all_rules())}. "
        "Install the plug-in, or the version of the agent, that the other organizations run.",
    )


@cache
def all_rules() -> tuple[Rule, ...]:
    """Return the built-in rules and those of installed plug-ins, by number.

    Raises:
        ConfigError: a plug-in that is not what it should be.
    """
    found = {rule.number: rule for rule in BUILT_IN}
    names = {rule.name for rule in BUILT_IN}
    for point in sorted(entry_points(group=ENTRY_POINTS)):
        rule = point.load()
        if not isinstance(rule, Rule):
            raise ConfigError(f"the plug-in {point.value} is no node_agent.merge.rules.Rule")
        if rule.number not in PLUG_IN_NUMBERS:
            raise ConfigError(
                f"the plug-in {point.value} has the number {rule.number}, not 128-255"
            )
        if rule.number in found or rule.name in names:
            raise ConfigError(f"two merge rules are {rule.number} or {rule.name}: {point.value}")
        found[rule.number] = rule
        names.add(rule.name)
    return tuple(found[number] for number in sorted(found))


def state_root(base: ParameterFile | None, metadata: Mapping[str, str]) -> bytes | None:
    """Return the root of the state that the next merge needs; None: it starts afresh.

    A run that starts from another run's model starts with a fresh state.

    Args:
        base: the model that the round starts from, None in tests of rules that need none.
        metadata: of the file to be merged; its `run` decides.
    """
    if base is None or base.metadata.get("run") != metadata.get("run"):
        return None
    root = base.metadata.get(STATE)
    return bytes.fromhex(root) if root is not None else None


def _check_state(state: ParameterFile | None, root: bytes | None) -> None:
    if state is None and root is not None:
        raise ParameterError(f"the merge needs the state {root.hex()} that its base names")
    if state is not None and state.root != root:
        raise ParameterError(f"{state.path.name} is not the state that the base names")


def _needs_plug_ins(rule: int | str) -> bool:
    return not any(rule in (each.number, each.name) for each in BUILT_IN)
