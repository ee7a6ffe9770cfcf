"""Hashes that the contracts and the nodes work out alike: chains of rounds and snapshots, ranks.

All of them are keccak256 over Solidity's `abi.encode`, written out word by word.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from eth_hash.auto import keccak

from contracts.kinds import Address, Binary, Boolean, Integer, Text

if TYPE_CHECKING:
    from contracts.messages import Attestation

_BYTES32: Final = Binary(32)
_HASHED: Final = Text()  # as keccak256(bytes(text))
_ADDRESS: Final = Address()
_BOOL: Final = Boolean()
_UINT8: Final = Integer(8)
_UINT16: Final = Integer(16)
_UINT32: Final = Integer(32)
_UINT64: Final = Integer(64)
_UINT256: Final = Integer(256)
_INT64: Final = Integer(64, signed=True)

# Kinds of membership changes.
ENROLLED: Final = 1
RETIRED: Final = 2
PARTY_OUT: Final = 3
SUSPENDED: Final = 4
RESUMED: Final = 5
TERMINATED: Final = 6
AMENDED: Final = 7


def _tail(text: str) -> bytes:
    """A string as abi.encode puts it behind the fixed words: length, bytes, padding."""
    data = _HASHED.to_abi(text).encode()
    return _UINT256.word(len(data)) + data + bytes(-len(data) % 32)


def run_id(
    chain_id: int, training: str, agreement: bytes, name: str, generation: int, salt: bytes
) -> bytes:
    """keccak256(abi.encode(uint256, address, bytes32, string, uint32, bytes32)) of the arguments.

    The first generation is 1.
    """
    words = (
        _UINT256.word(chain_id),
        _ADDRESS.word(training),
        _BYTES32.word(agreement),
        _UINT256.word(6 * 32),
        _UINT32.word(generation),
        _BYTES32.word(salt),
    )
    return keccak(b"".join(words) + _tail(name))


def members_root(snapshot_root: bytes, active: int) -> bytes:
    """Who is counted in a round: keccak256(abi.encode(bytes32 snapshotRoot, uint64 active)).

    Bit p of `active` stands for party p; see `contracts.parties`.
    """
    return keccak(_BYTES32.word(snapshot_root) + _UINT64.word(active))


def first_prev(run: bytes, members: bytes) -> bytes:
    """`prev` of round 0: keccak256(abi.encode(runId, membersRoot))."""
    return keccak(_BYTES32.word(run) + _BYTES32.word(members))


def reopened_prev(prev: bytes, members: bytes) -> bytes:
    """`prev` of a round that was opened again: keccak256(abi.encode(prev, membersRoot))."""
    return keccak(_BYTES32.word(prev) + _BYTES32.word(members))


def next_prev(attestation: Attestation, members: bytes) -> bytes:
    """`prev` of the round that sealing `attestation` opens with these `members_root`.

    It binds what was agreed (roots, losses, metric, shares), not who signed or posted it.
    """
    words = (
        _BYTES32.word(attestation.run_id),
        _UINT32.word(attestation.round),
        _BYTES32.word(attestation.roster_root),
        _BYTES32.word(attestation.merged_root),
        _UINT64.word(attestation.loss_before),
        _UINT64.word(attestation.loss_after),
        _INT64.word(attestation.metric),
        keccak(attestation.shares),
        _BYTES32.word(members),
    )
    return keccak(b"".join(words))


def next_snapshot_root(
    root: bytes,
    change: int,
    registration: int,
    party: int,
    key: str,
    spiffe_id: str,
    url: str,
    may_lead: bool,
) -> bytes:
    """Root of the snapshot after a node came or went (`ENROLLED` or `RETIRED`).

    The root of the first snapshot, before any change, is the agreement's id.
    """
    words = (
        _BYTES32.word(root),
        _UINT8.word(change),
        _UINT16.word(registration),
        _UINT16.word(party),
        _ADDRESS.word(key),
        _HASHED.word(spiffe_id),
        _HASHED.word(url),
        _BOOL.word(may_lead),
    )
    return keccak(b"".join(words))


def changed_snapshot_root(root: bytes, change: int, party: int = 0) -> bytes:
    """Root of the snapshot after any other membership change, `PARTY_OUT` to `AMENDED`.

    As `next_snapshot_root`, all other words being zero; only PARTY_OUT names a party.
    """
    words = (_BYTES32.word(root), _UINT8.word(change), _UINT16.word(0), _UINT16.word(party))
    return keccak(b"".join(words) + bytes(4 * 32))


def leader_rank(run: bytes, round: int, merged_root: bytes, organization: str) -> bytes:
    """Organizations lead in ascending order of this.

    keccak256(abi.encode(bytes32 runId, uint256 round, bytes32 mergedRoot, string organization)).
    """
    words = (
        _BYTES32.word(run),
        _UINT256.word(round),
        _BYTES32.word(merged_root),
        _UINT256.word(4 * 32),
    )
    return keccak(b"".join(words) + _tail(organization))


def updates_root(digests: Sequence[bytes]) -> bytes:
    """keccak256 over the members' Update digests, in the order of the roster."""
    return keccak(b"".join(_BYTES32.word(digest) for digest in digests))
