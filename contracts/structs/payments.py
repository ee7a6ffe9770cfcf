"""What moves money: claims, stakes, prices, allowances."""

from __future__ import annotations

from dataclasses import dataclass

from contracts.eip712 import Struct
from contracts.solidity import Bytes32, Uint16, Uint64, Uint128, Uint256, Wallet


@dataclass(frozen=True, slots=True)
class Claim(Struct):
    """Pays a party what is due to it from runs of one agreement; signed by its wallet.

    Domain: Rewards, or Royalties.
    """

    run_ids: tuple[Bytes32, ...]
    party: Uint16
    recipient: Wallet
    nonce: Uint256  # `claim_nonce`
    deadline: Uint64  # [unix s]


@dataclass(frozen=True, slots=True)
class Delegation(Struct):
    """Lets a claimer have the party's dues paid to a recipient; signed by the party's wallet.

    Domain: Rewards, or Royalties.
    """

    agreement: Bytes32
    party: Uint16
    claimer: Wallet  # zero: nobody any more
    recipient: Wallet
    nonce: Uint256  # `claim_nonce`
    deadline: Uint64  # [unix s]


@dataclass(frozen=True, slots=True)
class Unlocking(Struct):
    """Gives notice to a part of a stake; signed by the party's wallet. Domain: Stakes."""

    agreement: Bytes32
    party: Uint16
    amount: Uint128  # [wei]
    recipient: Wallet  # of everything under notice
    nonce: Uint256  # `Stakes.stake(…).nonce`
    deadline: Uint64  # [unix s]


@dataclass(frozen=True, slots=True)
class Pricing(Struct):
    """Sets the price of a license; signed by the organizations that carry it. Domain: Royalties."""

    run_id: Bytes32
    price: Uint128  # [wei]; zero: not for sale
    nonce: Uint256  # `Royalties.sale(…).votes`
    deadline: Uint64  # [unix s]


@dataclass(frozen=True, slots=True)
class Permit(Struct):
    """EIP-2612: lets a spender take tokens; signed by their owner. Domain: the token."""

    owner: Wallet
    spender: Wallet
    value: Uint256  # [wei]
    nonce: Uint256
    deadline: Uint256  # [unix s]
