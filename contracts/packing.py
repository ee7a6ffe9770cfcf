"""The packed byte fields of an attestation: shares and rejects."""

from __future__ import annotations

import operator
import struct
from collections.abc import Sequence
from typing import Final

from contracts.errors import MessageError

ALL_BIPS: Final = 10_000
_SHARE: Final = struct.Struct(">HH")
_REJECT: Final = struct.Struct(">HB")


def pack_shares(shares: Sequence[tuple[int, int]]) -> bytes:
    """Packs (party, basis points) in 4 bytes each, parties ascending; nothing is the void row.

    Raises:
        MessageError: not ascending, out of range, or more than 10,000 basis points in all.
    """
    _check_shares(shares)
    return b"".join(_SHARE.pack(party, bips) for party, bips in shares)


def unpack_shares(packed: bytes) -> tuple[tuple[int, int], ...]:
    """Reads what `pack_shares` wrote, refusing what it would refuse."""
    _must_be_whole(packed, _SHARE.size, "shares")
    shares: tuple[tuple[int, int], ...] = tuple(_SHARE.iter_unpack(packed))
    _check_shares(shares)
    return shares


def pack_rejects(rejects: Sequence[tuple[int, int]]) -> bytes:
    """Packs (registration, reason code) in 3 bytes each, registrations ascending.

    Raises:
        MessageError: not ascending or out of range.
    """
    _check_rejects(rejects)
    return b"".join(_REJECT.pack(registration, reason) for registration, reason in rejects)


def unpack_rejects(packed: bytes) -> tuple[tuple[int, int], ...]:
    """Reads what `pack_rejects` wrote, refusing what it would refuse."""
    _must_be_whole(packed, _REJECT.size, "rejects")
    rejects: tuple[tuple[int, int], ...] = tuple(_REJECT.iter_unpack(packed))
    _check_rejects(rejects)
    return rejects


def _must_be_whole(packed: bytes, size: int, what: str) -> None:
    if len(packed) % size:
        raise MessageError(f"{len(packed)} bytes of {what} are not a multiple of {size}")


def _check_shares(shares: Sequence[tuple[int, int]]) -> None:
    _check_ascending([party for party, _ in shares], "parties")
    parts_bips = [bips for _, bips in shares]
    if min(parts_bips, default=0) < 0 or max(parts_bips, default=0) > ALL_BIPS:
        raise MessageError("a share is outside of 0 to 10,000 basis points")
    if (total_bips := sum(parts_bips)) > ALL_BIPS:
        raise MessageError(f"the shares make {total_bips} basis points, more than 10,000")


def _check_rejects(rejects: Sequence[tuple[int, int]]) -> None:
    _check_ascending([registration for registration, _ in rejects], "registrations")
    if any(not 0 <= reason <= 0xFF for _, reason in rejects):
        raise MessageError("a reason code is outside of 0 to 255")


def _check_ascending(numbers: Sequence[int], what: str) -> None:
    if min(numbers, default=0) < 0 or max(numbers, default=0) > 0xFFFF:
        raise MessageError(f"the {what} are outside of 0 to 65,535")
    if any(map(operator.ge, numbers, numbers[1:])):
        raise MessageError(f"the {what} are not in ascending order")
