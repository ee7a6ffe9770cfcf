"""The packed byte fields of an attestation: shares and rejects."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Final

from contracts.errors import MessageError

ALL_BIPS: Final = 10_000
_SHARE_BYTES: Final = 4
_REJECT_BYTES: Final = 3


def pack_shares(shares: Sequence[tuple[int, int]]) -> bytes:
    """Packs (party, basis points) in 4 bytes each, parties ascending; nothing is the void row.

    Raises:
        MessageError: not ascending, out of range, or more than 10,000 basis points in all.
    """
    _check_shares(shares)
    return b"".join(party.to_bytes(2, "big") + bips.to_bytes(2, "big") for party, bips in shares)


def unpack_shares(packed: bytes) -> tuple[tuple[int, int], ...]:
    """Reads what `pack_shares` wrote, refusing what it would refuse."""
    shares = tuple(
        (int.from_bytes(entry[:2], "big"), int.from_bytes(entry[2:], "big"))
        for entry in _entries(packed, _SHARE_BYTES, "shares")
    )
    _check_shares(shares)
    return shares


def pack_rejects(rejects: Sequence[tuple[int, int]]) -> bytes:
    """Packs (registration, reason code) in 3 bytes each, registrations ascending.

    Raises:
        MessageError: not ascending or out of range.
    """
    _check_rejects(rejects)
    return b"".join(
        registration.to_bytes(2, "big") + bytes([reason]) for registration, reason in rejects
    )


def unpack_rejects(packed: bytes) -> tuple[tuple[int, int], ...]:
    """Reads what `pack_rejects` wrote, refusing what it would refuse."""
    rejects = tuple(
        (int.from_bytes(entry[:2], "big"), entry[2])
        for entry in _entries(packed, _REJECT_BYTES, "rejects")
    )
    _check_rejects(rejects)
    return rejects


def _entries(packed: bytes, size: int, what: str) -> list[bytes]:
    if len(packed) % size:
        raise MessageError(f"{len(packed)} bytes of {what} are not a multiple of {size}")
    return [packed[start : start + size] for start in range(0, len(packed), size)]


def _check_shares(shares: Sequence[tuple[int, int]]) -> None:
    _check_ascending([party for party, _ in shares], "parties")
    if any(not 0 <= bips <= ALL_BIPS for _, bips in shares):
        raise MessageError("a share is outside of 0 to 10,000 basis points")
    if (total_bips := sum(bips for _, bips in shares)) > ALL_BIPS:
        raise MessageError(f"the shares make {total_bips} basis points, more than 10,000")


def _check_rejects(rejects: Sequence[tuple[int, int]]) -> None:
    _check_ascending([registration for registration, _ in rejects], "registrations")
    if any(not 0 <= reason <= 0xFF for _, reason in rejects):
        raise MessageError("a reason code is outside of 0 to 255")


def _check_ascending(numbers: Sequence[int], what: str) -> None:
    if any(not 0 <= number <= 0xFFFF for number in numbers):
        raise MessageError(f"the {what} are outside of 0 to 65,535")
    if any(later <= earlier for earlier, later in itertools.pairwise(numbers)):
        raise MessageError(f"the {what} are not in ascending order")
