"""What an audit finds: what was recomputed, the first difference, and what could not be checked."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from typing import Any


class Step(StrEnum):
    """From a commit to a payment, in this order."""

    OPENING = "opening"  # prev: history, snapshot and who is counted
    SEAL = "seal"  # signatures of a quorum under what was recorded
    COMMITS = "commits"  # roster and signed updates
    UPDATES = "updates"  # the files behind them, and who was rejected
    MERGE = "merge"  # the merged model, byte for byte
    ROW = "row"  # shares in basis points
    CREDIT = "credit"  # vested and credited wei
    CLAIM = "claim"  # paid out
    BALANCE = "balance"  # accounts and pool at the end


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where in a run; `round` is None for what belongs to no round."""

    step: Step
    round: int | None = None
    organization: str = ""
    transaction: str = ""

    def __str__(self) -> str:
        words = [] if self.round is None else [f"round {self.round}"]
        words += [self.organization] if self.organization else []
        return ", ".join(words) or "the run"


@dataclass(frozen=True, slots=True)
class Difference:
    """Something that is not as it follows from the records and files."""

    place: Place
    what: str
    expected: str
    found: str

    def __str__(self) -> str:
        where = f" (transaction {self.place.transaction})" if self.place.transaction else ""
        return f"{self.place}: {self.what}: expected {self.expected}, found {self.found}{where}"

    def to_json(self) -> dict[str, Any]:
        return {
            **asdict(self.place),
            **{k: getattr(self, k) for k in ("what", "expected", "found")},
        }


@dataclass(frozen=True, slots=True)
class Gap:
    """A step that could not be recomputed, and why."""

    place: Place
    reason: str

    def __str__(self) -> str:
        return f"{self.place}: {self.place.step} not recomputed: {self.reason}"

    def to_json(self) -> dict[str, Any]:
        return {**asdict(self.place), "reason": self.reason}


class FirstDifference(Exception):
    """Ends the walk."""

    def __init__(self, difference: Difference) -> None:
        super().__init__(str(difference))
        self.difference = difference


@dataclass(slots=True)
class Findings:
    """Collects what is found on the way."""

    recomputed: Counter[Step] = field(default_factory=Counter)
    gaps: list[Gap] = field(default_factory=list)

    def same(self, place: Place, what: str, expected: object, found: object) -> None:
        """Go on if the two are equal. Raises FirstDifference."""
        if expected != found:
            self.differ(place, what, _shown(expected), _shown(found))

    def differ(self, place: Place, what: str, expected: str, found: str) -> None:
        """Raises FirstDifference."""
        raise FirstDifference(Difference(place, what, expected, found))

    def done(self, step: Step) -> None:
        """Count a step as recomputed."""
        self.recomputed[step] += 1

    def gap(self, place: Place, reason: str) -> None:
        """Note that a step could not be recomputed; the walk goes on with what is public."""
        self.gaps.append(Gap(place, reason))


def _shown(value: object) -> str:
    if isinstance(value, bytes):
        return "0x" + value.hex() if value else "nothing"
    return str(value)
