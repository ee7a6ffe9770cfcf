"""What random play has to reach, so that holding contracts and model together proves something."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

from tests.chain.machine.landmarks import MARKS

ACTIONS = frozenset(
    [
        *("enroll", "retire", "leave", "suspect", "alive", "leave out", "wait"),
        *("suspend", "resume", "terminate", "remove", "pardon"),
        *("replace wallet", "move wallet", "veto"),
        *("amend", "sign an amendment", "recount"),
        *("deposit", "unlock", "withdraw", "collect", "collect coins"),
        *("slash updates", "slash rosters", "slash attestations"),
        *("create run", "fund", "seal", "reopen", "close"),
        *("seal local", "seal local with late rows", "add rows", "settle"),
        *("claim rewards", "delegate rewards", "claim rewards for", "refund"),
        *("claim royalties", "delegate royalties", "claim royalties for", "pay", "buy"),
        *("claim rewards to", "claim royalties to", "price"),
        *("create task", "set body of a task", "finalize of a task", "delete of a task"),
        *("create taskrunner", "enroll agent", "withdraw agent", "take off agent"),
        *("assign to peers", "assign to all", "assign to target", "report", "expire"),
        *("reset taskrunner", "publish version", "retire version"),
    ]
)


# Of seals, all refusals count for themselves: each kind of seal checks with its own code.
SEALS = frozenset(
    f"{seal}: {error}"
    for seal in ("seal", "seal local")
    for error in (
        *("Training_WrongState", "Training_OtherMetering", "Training_WrongRound"),
        *("Training_WrongPrev", "Training_NoQuorum", "Training_BadShares"),
        "Consortium_NotAMember",
    )
)


def refusals() -> frozenset[str]:
    """Every error that the model expects anywhere, from its own text."""
    model = Path(__file__).parent.glob("*.py")
    found = (re.findall(r'Refused\(\s*"(\w+)"', path.read_text()) for path in model)
    return frozenset(name for names in found for name in names)


def missing(reached: Counter[str]) -> set[str]:
    """What was not reached: actions that succeeded, errors, and turns that the model took."""
    refused = {each.partition(": ")[2] for each in reached if each not in MARKS}
    return (ACTIONS | MARKS | SEALS) - reached.keys() | refusals() - refused
