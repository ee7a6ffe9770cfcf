"""Who takes part: nodes that come and go, votes on parties, signs of life."""

from __future__ import annotations

from dataclasses import dataclass

from contracts.eip712 import Struct
from contracts.solidity import Bool, Bytes32, String, Uint8, Uint16, Uint32, Uint64, Uint256, Wallet


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
class Leaving(Struct):
    """Takes a party out of the agreement for good; signed by its wallet. Domain: Consortium."""

    agreement: Bytes32
    party: Uint16
    deadline: Uint64  # [unix s]


@dataclass(frozen=True, slots=True)
class TlsBinding(Struct):
    """A node's word that a TLS key is its own; signed by the node's key. Domain: Consortium."""

    agreement: Bytes32
    spki_hash: Bytes32  # SHA-256 of the SubjectPublicKeyInfo in DER
    not_after: Uint64  # [unix s]


@dataclass(frozen=True, slots=True)
class Motion(Struct):
    """What is voted on; signed by each organization in favor. Domain: Council."""

    agreement: Bytes32
    action: Uint8  # `contracts.council.Action`
    party: Uint16  # whom it concerns; zero where it concerns none
    wallet: Wallet  # the new one of ReplaceWallet; zero otherwise
    nonce: Uint256  # `Council.nonce`
    deadline: Uint64  # [unix s]


@dataclass(frozen=True, slots=True)
class Move(Struct):
    """A party's own change of wallet; signed by the old one and the new one. Domain: Council."""

    agreement: Bytes32
    party: Uint16
    wallet: Wallet
    nonce: Uint256  # `Council.wallet_nonce`
    deadline: Uint64  # [unix s]


@dataclass(frozen=True, slots=True)
class Veto(Struct):
    """Stops the replacement of a wallet that is not lost; signed by it. Domain: Council."""

    agreement: Bytes32
    party: Uint16
    wallet: Wallet  # that shall not become the party's
    nonce: Uint256  # `Council.wallet_nonce`
    deadline: Uint64  # [unix s]


@dataclass(frozen=True, slots=True)
class Suspicion(Struct):
    """Says that an organization seems absent; signed by another's node key. Domain: Presence."""

    agreement: Bytes32
    party: Uint16  # that seems to be absent
    by: Uint16  # registration of who says so
    number: Uint32  # the latest of this party + 1
    deadline: Uint64  # [unix s]


@dataclass(frozen=True, slots=True)
class Alive(Struct):
    """A sign of life; signed by the node's key or its party's wallet. Domain: Presence."""

    agreement: Bytes32
    registration: Uint16
    number: Uint32  # of the suspicion that it answers
