"""Everything that is signed: the Solidity structs of the contracts, and what peers tell each other.

Field names are those of the Solidity structs in snake_case, in the same order. All byte fields
whose type is `Bytes32` hold exactly 32 bytes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

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
    next_prev,
    next_snapshot_root,
    reopened_prev,
    run_id,
    updates_root,
)
from contracts.kinds import Address, Binary, Boolean, Integer, Text, checksum_address
from contracts.packing import pack_rejects, pack_shares, unpack_rejects, unpack_shares

Bytes32 = Annotated[bytes, Binary(32)]
Bytes = Annotated[bytes, Binary()]
String = Annotated[str, Text()]
Wallet = Annotated[str, Address()]
Bool = Annotated[bool, Boolean()]
Uint8 = Annotated[int, Integer(8)]
Uint16 = Annotated[int, Integer(16)]
Uint32 = Annotated[int, Integer(32)]
Uint64 = Annotated[int, Integer(64)]
Uint128 = Annotated[int, Integer(128)]
Uint256 = Annotated[int, Integer(256)]
Int64 = Annotated[int, Integer(64, signed=True)]


@dataclass(frozen=True, slots=True)
class Terms(Struct):
    """The rules of every run made under an agreement. Losses are fixed point, 1e-9."""

    initial_root: Bytes32
    schema_hash: Bytes32
    validation_root: Bytes32
    sponsor: Wallet
    budget: Uint128  # [wei]
    loss_ceiling: Uint64  # [1e-9]
    target_loss: Uint64  # [1e-9]
    min_samples: Uint64
    max_rounds: Uint32
    sync_frequency: Uint32  # [batches]
    stall_time: Uint32  # [s]
    quorum_grace: Uint32  # [ms]
    leader_timeout: Uint32  # [ms]
    min_peers: Uint16  # [organizations]
    merge_rule: Uint8  # 0 = mean
    metering: Uint8  # 0 = equal, 1 = size, 2 = common


@dataclass(frozen=True, slots=True)
class Party(Struct):
    """One legal entity of an agreement."""

    organization: String
    wallet: Wallet
    weight: Uint16


@dataclass(frozen=True, slots=True)
class Agreement(Struct):
    """What all parties sign. Its struct hash is its id. Domain: Consortium."""

    document: Bytes32
    purpose: String
    trust_domain: String
    not_before: Uint64  # [unix s]
    not_after: Uint64  # [unix s]
    terms: Terms
    parties: tuple[Party, ...]


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
