"""Which updates go into a round.

Term 0: the leader rosters the commits it has seen. A later leader is bound by what an earlier one
may have opened to reading: it gathers signed holdings from more than half of the organizations and
keeps, of the latest roster among them, the files that more than half of the organizations hold. So
one withheld file cannot block a run, and nobody can add an update after seeing the others'. The
builder and the checker of a roster call the same function.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from contracts.messages import Holdings, Roster
from node_agent.engine.context import RoundContext

M = TypeVar("M")
NO_ROSTER = bytes(32)


@dataclass(frozen=True, slots=True)
class Signed(Generic[M]):
    """A message with the registration and signature of the node that made it."""

    message: M
    registration: int
    signature: str


def bitmap(held: Sequence[bool]) -> bytes:
    """Member k of a roster is bit k % 8 (lowest first) of byte k // 8."""
    packed = bytearray((len(held) + 7) // 8)
    for index, have in enumerate(held):
        packed[index // 8] |= int(have) << (index % 8)
    return bytes(packed)


def _holds(packed: bytes, index: int) -> bool:
    return index // 8 < len(packed) and bool(packed[index // 8] >> (index % 8) & 1)


def members_after(
    context: RoundContext,
    evidence: Mapping[int, Holdings],
    earlier: Mapping[bytes, Roster],
) -> tuple[int, ...] | None:
    """The members a later term must roster, or None when it is free to roster its commits.

    ``evidence``: registration -> what that node said it holds when the term began.
    ``earlier``: rosters of earlier terms by their root.
    """
    named = [earlier[held.roster_root] for held in evidence.values() if held.roster_root in earlier]
    if not named:
        return None
    last = max(named, key=lambda roster: roster.term)
    kept = []
    for index, member in enumerate(last.members):
        holders = context.parties_of(
            number for number, held in evidence.items() if _holds(held.bitmap, index)
        )
        if len(holders) >= context.majority:
            kept.append(member)
    return tuple(kept) or last.members
