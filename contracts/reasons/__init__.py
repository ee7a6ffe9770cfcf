"""What the contracts' errors mean, in sentences, and what can be done about each.

In the sentences, {names} are the error's values.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

from contracts.reasons import membership, money, runs, tasks, tokens

_REASONS: Final[Mapping[str, tuple[str, str]]] = (
    membership.REASONS | runs.REASONS | money.REASONS | tasks.REASONS | tokens.REASONS
)
_MOMENTS: Final = {
    "answer_by", "deadline", "ends_at", "latest", "leaves_at", "not_after", "not_before", "until",
}  # fmt: skip
# What the numbers of an enumeration stand for, by contract and value.
_WORDS: Final[Mapping[tuple[str, str], tuple[str, ...]]] = {
    ("Consortium", "state"): (
        "unknown", "offered", "signed", "active", "being amended", "suspended", "terminated",
        "expired",
    ),
    ("Council", "action"): ("suspend", "resume", "terminate", "remove", "replace a wallet"),
    ("Training", "state"): ("unknown", "open", "settling", "finished"),
    ("Training", "metering"): ("equally", "by size", "on a common set", "locally"),
    ("Taskrunner", "state"): ("unknown", "idle", "running", "complete", "in error"),
    ("Taskrunner", "status"): ("none", "active", "completed", "failed"),
}  # fmt: skip


def explain(name: str, values: Mapping[str, Any]) -> tuple[str, str]:
    """Returns the sentence and the hint for a contract's error."""
    sentence, hint = _REASONS.get(name, (name, ""))
    contract = name.partition("_")[0]
    shown = {key: _shown(contract, key, value) for key, value in values.items()}
    return sentence.format_map(shown), hint


def explained() -> frozenset[str]:
    return frozenset(_REASONS)


def _shown(contract: str, key: str, value: Any) -> str:
    words = _WORDS.get((contract, key), ())
    if isinstance(value, int) and value < len(words):
        return words[value]
    if isinstance(value, bytes):
        return "0x" + value.hex()
    if isinstance(value, str):
        return value if value.startswith("0x") else repr(value)
    if key in _MOMENTS and isinstance(value, int):
        try:
            return datetime.fromtimestamp(value, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
        except (ValueError, OverflowError, OSError):
            return "the end of time"
    return str(value)
