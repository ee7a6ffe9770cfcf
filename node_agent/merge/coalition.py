"""What some of a merge's organizations would have made of the base, to score them by its loss.

Which coalitions are asked for, and what their losses are worth: `metering.contribution.losses`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from metering.contribution import Coalition
from node_agent.merge.registry import merge
from node_agent.merge.rules import combine
from node_agent.parameters.format import ParameterFile


@dataclass(frozen=True, slots=True)
class Whole:
    """A merge of all, as it was made: what parts of it are merged from.

    `parties`, `files`, `weights` and, where the rule has them, `coefficients` have one entry an
    update, in the same order; `base` is the model that the round started from, `state` what the
    rule left before it.
    """

    rule: int | str
    parameter_e6: int
    parties: tuple[int, ...]
    files: tuple[Path, ...]
    weights: tuple[int, ...]
    coefficients: tuple[Fraction, ...] | None
    base: Path
    state: Path | None

    @property
    def players(self) -> tuple[int, ...]:
        """The parties, each once: the players of the game, by their numbers in coalitions."""
        return tuple(dict.fromkeys(self.parties))


def merge_coalition(
    whole: Whole, coalition: Coalition, out_path: Path, metadata: Mapping[str, str]
) -> None:
    """Write the model of some of the players to `out_path`; no state is left behind.

    Raises ParameterError: the rule makes nothing of these updates alone.
    """
    members = {whole.players[player] for player in coalition}
    places = [place for place, party in enumerate(whole.parties) if party in members]
    files = [ParameterFile.open(whole.files[place]) for place in places]
    base = ParameterFile.open(whole.base)
    if whole.coefficients is not None:
        coefficients: Sequence[Fraction] = [whole.coefficients[place] for place in places]
        combine(files, coefficients, base, out_path, metadata)
        return
    state_path = out_path.with_name(f"{out_path.stem}-state{out_path.suffix}")
    try:
        merge(
            whole.rule,
            files,
            [whole.weights[place] for place in places],
            out_path,
            metadata,
            parameter_e6=whole.parameter_e6,
            base=base,
            state=ParameterFile.open(whole.state) if whole.state else None,
            state_path=state_path,
        )
    finally:
        state_path.unlink(missing_ok=True)
