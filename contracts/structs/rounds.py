"""Runs and their rounds. Domain of all that is signed here: Training."""

from __future__ import annotations

from dataclasses import dataclass

from contracts.eip712 import Struct
from contracts.solidity import Bytes, Bytes32, Int64, String, Uint16, Uint32, Uint64, Uint256


@dataclass(frozen=True, slots=True, kw_only=True)
class RunRequest(Struct):
    """Asks for a run; signed by a party's wallet."""

    agreement: Bytes32
    party: Uint16
    name: String
    salt: Bytes32
    generation: Uint32 = 1  # counted up to start anew under the same name
    continues: Bytes32 = bytes(32)  # a finished run to start from; zero: from the terms' model
    deadline: Uint64  # [unix s]


@dataclass(frozen=True, slots=True)
class Update(Struct):
    """A node's commitment to its update file. Domain: Training."""

    run_id: Bytes32
    round: Uint32
    prev: Bytes32
    registration: Uint16
    root: Bytes32  # BLAKE3 of the file
    size: Uint64  # [bytes]
    samples: Uint64


@dataclass(frozen=True, slots=True)
class Roster(Struct):
    """The updates that go into a round, as a leader closed them. Domain: Training."""

    run_id: Bytes32
    round: Uint32
    prev: Bytes32
    term: Uint32
    members: tuple[Uint16, ...]  # registrations
    updates_root: Bytes32


@dataclass(frozen=True, slots=True)
class Holdings(Struct):
    """Which files of a roster a node has. Domain: Training."""

    run_id: Bytes32
    round: Uint32
    prev: Bytes32
    term: Uint32
    registration: Uint16
    roster_root: Bytes32
    bitmap: Bytes


@dataclass(frozen=True, slots=True)
class Refusal(Struct):
    """A node's word that it will not sign a proposed attestation, and why. Domain: Training."""

    run_id: Bytes32
    round: Uint32
    prev: Bytes32
    term: Uint32
    registration: Uint16
    attestation: Bytes32  # digest of what is refused
    reason: String


@dataclass(frozen=True, slots=True)
class Attestation(Struct):
    """What a node signs under what it merged and measured. Domain: Training."""

    run_id: Bytes32
    round: Uint32
    prev: Bytes32
    term: Uint32
    roster_root: Bytes32
    merged_root: Bytes32
    loss_before: Uint64  # [1e-9]
    loss_after: Uint64  # [1e-9]
    metric: Int64  # [1e-9]
    shares: Bytes  # `pack_shares`
    rejects: Bytes  # `pack_rejects`


@dataclass(frozen=True, slots=True)
class Row(Struct):
    """The fields of an attestation that are the signer's own under local metering."""

    loss_before: Uint64  # [1e-9]
    loss_after: Uint64  # [1e-9]
    metric: Int64  # [1e-9]
    shares: Bytes  # `pack_shares`


@dataclass(frozen=True, slots=True)
class Votes(Struct):
    """Attestations that differ in their rows only; see `contracts.votes`."""

    signers: tuple[Uint16, ...]  # ascending registrations
    signatures: Bytes  # 65 bytes a signer
    rows: tuple[Row, ...]  # one a signer


@dataclass(frozen=True, slots=True)
class Pardon(Struct):
    """Lets a quarantined organization back in; signed by the organizations that carry it."""

    run_id: Bytes32
    party: Uint16
    deadline: Uint64  # [unix s]
    nonce: Uint256  # `Clerk.pardon_nonce`
