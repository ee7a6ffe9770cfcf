"""Sets of parties as the contracts hold them: a uint64 whose bit p stands for party p."""

from __future__ import annotations

from collections.abc import Iterable

from contracts.errors import MessageError

MOST_PARTIES = 64
_ALL = 2**MOST_PARTIES - 1


def parties_in(active: int) -> tuple[int, ...]:
    """The parties of a set, ascending; the set may be given as a signed number of 64 bits."""
    found, left = [], active & _ALL
    while left:
        lowest = left & -left
        found.append(lowest.bit_length() - 1)
        left ^= lowest
    return tuple(found)


def party_set(parties: Iterable[int]) -> int:
    """The set of these parties.

    Raises:
        MessageError: a number that no party can have.
    """
    found = 0
    for party in parties:
        if not 0 <= party < MOST_PARTIES:
            raise MessageError(f"there is no party {party}: they are numbered from 0 to 63")
        found |= 1 << party
    return found
