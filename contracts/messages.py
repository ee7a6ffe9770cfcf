"""Everything that is signed: the Solidity structs of the contracts, and what peers tell each other.

Field names are those of the Solidity structs in snake_case, in the same order. All byte fields
whose type is `Bytes32` hold exactly 32 bytes.
"""

from __future__ import annotations

from dataclasses import dataclass

from contracts.agreements import Agreement, Bylaws, Party, Terms
from contracts.eip712 import (
    Domain,
    Struct,
    digest,
    from_abi,
    from_json,
    recover,
    recover_digest,
    sign,
    struct_hash,
    to_abi,
    to_json,
    type_string,
    typed_data,
)
from contracts.errors import MessageError, SignatureError
from contracts.hashes import (
    first_prev,
    leader_rank,
    members_root,
    next_prev,
    next_snapshot_root,
    reopened_prev,
    run_id,
    updates_root,
)
from contracts.kinds import checksum_address
from contracts.packing import pack_rejects, pack_shares, unpack_rejects, unpack_shares
from contracts.solidity import (
    Bool,
    Bytes,
    Bytes32,
    Int64,
    String,
    Uint16,
    Uint32,
    Uint64,
    Uint256,
    Wallet,
)


@dataclass(frozen=True, slots=True)
class Enrollment(Struct):
    """Binds a node to a party; signed by the wallet and by the node's key. Domain: Consortium."""

    agreement: Bytes32
    party: Uint16
    node: String
    key: Wallet
    url: String
    may_lead: Bool
    deadline: Uint64  # [unix s]
    nonce: Uint256


@dataclass(frozen=True, slots=True)
class Retirement(Struct):
    """Takes a node out of the next snapshot; signed by the party's wallet. Domain: Consortium."""

    agreement: Bytes32
    registration: Uint16
    deadline: Uint64  # [unix s]


@dataclass(frozen=True, slots=True)
class TlsBinding(Struct):
    """A node's word that a TLS key is its own; signed by the node's key. Domain: Consortium."""

    agreement: Bytes32
    spki_hash: Bytes32  # SHA-256 of the SubjectPublicKeyInfo in DER
    not_after: Uint64  # [unix s]


@dataclass(frozen=True, slots=True)
class RunRequest(Struct):
    """Asks for a run; signed by a party's wallet. Domain: Training."""

    agreement: Bytes32
    party: Uint16
    name: String
    salt: Bytes32
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
class Claim(Struct):
    """Pays an organization what it accrued; signed by the party's wallet. Domain: Rewards."""

    run_id: Bytes32
    party: Uint16
    recipient: Wallet
    nonce: Uint256
    deadline: Uint64  # [unix s]


@dataclass(frozen=True, slots=True)
class Permit(Struct):
    """EIP-2612: lets a spender take tokens; signed by their owner. Domain: the token."""

    owner: Wallet
    spender: Wallet
    value: Uint256  # [wei]
    nonce: Uint256
    deadline: Uint256  # [unix s]


__all__ = [
    "Agreement",
    "Attestation",
    "Bylaws",
    "Claim",
    "Domain",
    "Enrollment",
    "Holdings",
    "MessageError",
    "Party",
    "Permit",
    "Refusal",
    "Retirement",
    "Roster",
    "RunRequest",
    "SignatureError",
    "Struct",
    "Terms",
    "TlsBinding",
    "Update",
    "checksum_address",
    "digest",
    "first_prev",
    "from_abi",
    "from_json",
    "leader_rank",
    "members_root",
    "next_prev",
    "next_snapshot_root",
    "pack_rejects",
    "pack_shares",
    "recover",
    "recover_digest",
    "reopened_prev",
    "run_id",
    "sign",
    "struct_hash",
    "to_abi",
    "to_json",
    "type_string",
    "typed_data",
    "unpack_rejects",
    "unpack_shares",
    "updates_root",
]
