"""What the parties sign before anything else: the agreement, its bylaws and terms."""

from __future__ import annotations

from dataclasses import dataclass

from contracts.eip712 import Struct
from contracts.solidity import (
    Bytes32,
    Int64,
    String,
    Uint8,
    Uint16,
    Uint32,
    Uint64,
    Uint128,
    Wallet,
)

_DAY_S = 86_400


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms(Struct):
    """The rules of every run made under an agreement. Losses are fixed point, 1e-9."""

    initial_root: Bytes32
    schema_hash: Bytes32
    validation_root: Bytes32  # zero when metering does not use one
    sponsor: Wallet
    budget: Uint128  # [wei]
    license_price: Uint128 = 0  # [wei] of one license; zero: not for sale
    loss_ceiling: Uint64  # [1e-9]
    target_loss: Uint64  # [1e-9]
    target_metric: Int64 = 0  # [1e-9] where `stopping` looks at the metric
    min_samples: Uint64
    max_rounds: Uint32
    patience: Uint32 = 0  # [rounds] without a better value; zero: endless
    sync_frequency: Uint32  # [batches]
    stall_time: Uint32  # [s]
    quorum_grace: Uint32  # [ms]
    leader_timeout: Uint32  # [ms]
    merge_parameter: Uint32 = 0  # [1e-6] depends on the merge rule; zero: the rule's default
    probation: Uint32 = 0  # [s] after an organization's first enrollment before it may claim
    strike_rounds: Uint32 = 0  # [rounds] within which `strikes` strikes are too many
    quarantine_time: Uint32 = 0  # [s]
    min_peers: Uint16  # [organizations] zero: more than half of the parties
    strikes: Uint8 = 0  # so many lead to quarantine; zero: never
    merge_rule: Uint8  # 0 = mean
    topology: Uint8 = 0  # 0 = mesh, 1 = star
    metering: Uint8  # 0 = equal, 1 = size, 2 = common, 3 = local
    stopping: Uint8 = 0  # 0 = loss, 1 = metric, lower is better, 2 = metric, higher is better
    budget_rule: Uint8 = 0  # 0 = progress, 1 = an equal part of the pool for each round
    payout: Uint8 = 0  # 0 = each round, 1 = at the end of the run


@dataclass(frozen=True, slots=True, kw_only=True)
class Bylaws(Struct):
    """How the parties govern themselves. Part of the agreement."""

    penalty_recipient: Wallet = "0x" + "00" * 20  # gets slashed stake; needed where a stake is
    min_stake: Uint128 = 0  # [wei] that an organization needs to be counted; zero: none
    dispute_time: Uint32 = 7 * _DAY_S  # [s] that evidence may take
    wallet_delay: Uint32 = 7 * _DAY_S  # [s] from the vote for a new wallet until it takes effect
    answer_time: Uint32 = 3_600  # [s] to answer a suspicion of absence; zero: no suspicions
    votes: Uint16 = 0  # [organizations] that carry a motion; zero: more than two thirds
    penalty_bips: Uint16 = 5_000  # of the stake, for each proven contradiction
    finder_bips: Uint16 = 1_000  # of the penalty, for who proved it
    max_nodes: Uint8 = 32  # of an organization at once


@dataclass(frozen=True, slots=True)
class Party(Struct):
    """One legal entity of an agreement."""

    organization: String
    wallet: Wallet
    weight: Uint16


@dataclass(frozen=True, slots=True, kw_only=True)
class Agreement(Struct):
    """What all parties sign. The struct hash of version 1 is its id. Domain: Consortium."""

    document: Bytes32
    purpose: String
    trust_domain: String
    previous: Bytes32 = bytes(32)  # id of the agreement that this one amends
    version: Uint32 = 1  # counted up by amendments
    not_before: Uint64  # [unix s]
    not_after: Uint64  # [unix s]
    bylaws: Bylaws = Bylaws()
    terms: Terms
    parties: tuple[Party, ...]
