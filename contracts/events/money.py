"""Money: Rewards, Royalties, Stakes, the token."""

from __future__ import annotations

from dataclasses import dataclass

from contracts.events.base import Event


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolOpened(Event):
    run_id: bytes
    sponsor: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Funded(Event):
    run_id: bytes
    sender: str
    amount: int  # [wei]


@dataclass(frozen=True, slots=True, kw_only=True)
class Credited(Event):
    run_id: bytes
    vested: int  # [wei] of the pool up to now
    credited: int  # [wei] by this


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolClosed(Event):
    run_id: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Refunded(Event):
    run_id: bytes
    sponsor: str
    amount: int  # [wei]


@dataclass(frozen=True, slots=True, kw_only=True)
class Claimed(Event):
    """Rewards or royalties were paid."""

    run_id: bytes
    party: int
    recipient: str
    amount: int  # [wei]


@dataclass(frozen=True, slots=True, kw_only=True)
class Delegated(Event):
    """A claimer may have dues paid to a recipient."""

    agreement: bytes
    party: int
    claimer: str
    recipient: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Priced(Event):
    """The organizations set a price."""

    run_id: bytes
    price: int  # [wei]


@dataclass(frozen=True, slots=True, kw_only=True)
class Licensed(Event):
    """A license of a run's model was bought."""

    run_id: bytes
    licensee: str
    buyer: str
    number: int
    amount: int  # [wei]


@dataclass(frozen=True, slots=True, kw_only=True)
class Paid(Event):
    """A run received a payment."""

    run_id: bytes
    sender: str
    amount: int  # [wei]


@dataclass(frozen=True, slots=True, kw_only=True)
class Deposited(Event):
    """A stake grew."""

    agreement: bytes
    party: int
    sender: str
    amount: int  # [wei]


@dataclass(frozen=True, slots=True, kw_only=True)
class Unlocked(Event):
    """A part of a stake is under notice."""

    agreement: bytes
    party: int
    recipient: str
    amount: int  # [wei]
    leaves_at: int  # [unix s]


@dataclass(frozen=True, slots=True, kw_only=True)
class Withdrawn(Event):
    agreement: bytes
    party: int
    recipient: str
    amount: int  # [wei]


@dataclass(frozen=True, slots=True, kw_only=True)
class Slashed(Event):
    """A contradiction was proven."""

    agreement: bytes
    party: int
    run_id: bytes
    kind: int  # `contracts.stakes.Kind`
    round: int
    prev: bytes
    term: int
    registration: int
    finder: str
    penalty: int  # [wei]
    reward: int  # [wei]


@dataclass(frozen=True, slots=True, kw_only=True)
class Recounted(Event):
    """Who has the minimum stake was worked out again."""

    agreement: bytes
    staked: int  # set of parties; see `contracts.parties`


@dataclass(frozen=True, slots=True, kw_only=True)
class Collected(Event):
    """Stakes: from penalties. Presence: from deposits, in wei of the chain's coin."""

    recipient: str
    amount: int  # [wei]


@dataclass(frozen=True, slots=True, kw_only=True)
class Transfer(Event):
    sender: str
    to: str
    value: int  # [wei]


@dataclass(frozen=True, slots=True, kw_only=True)
class Approval(Event):
    owner: str
    spender: str
    value: int  # [wei]
