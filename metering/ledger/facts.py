"""What happened on chain, as far as money is concerned: the events of the contracts, typed.

Runs and agreements are 0x-hex ids; `amount_wei` is what moved. Whoever reads the chain makes these
from its events; nothing else is needed to keep the book.
"""

from __future__ import annotations

from dataclasses import dataclass

from metering.errors import MeteringError
from metering.ledger.accounts import check_count
from metering.ledger.division import Division
from metering.ledger.entries import Place


@dataclass(frozen=True, slots=True, kw_only=True)
class Fact:
    """Base of all: where it stands, in whose accounts, and how much moved."""

    place: Place
    amount_wei: int

    def __post_init__(self) -> None:
        check_count(self.amount_wei, "amount")
        if not self.amount_wei:
            raise MeteringError(f"a {type(self).__name__} of nothing is no event")


@dataclass(frozen=True, slots=True, kw_only=True)
class RunFact(Fact):
    run: str


@dataclass(frozen=True, slots=True, kw_only=True)
class StakeFact(Fact):
    agreement: str
    party: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Funded(RunFact):
    """The pool received `amount_wei`."""

    sender: str

    def __str__(self) -> str:
        return f"{self.sender} funded {self.amount_wei} wei"


@dataclass(frozen=True, slots=True, kw_only=True)
class Credited(RunFact):
    """A settled round: `amount_wei` was credited in all.

    Attributes:
        round: the round that is paid; from the seal or settlement in the same transaction.
        vested_wei: of the pool, by all rounds so far.
        division: by what was vested and not credited yet is divided.
    """

    round: int
    vested_wei: int
    division: Division

    def __str__(self) -> str:
        of = f"of {self.vested_wei} vested"
        return f"round {self.round} credited {self.amount_wei} wei {of}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Claimed(RunFact):
    """A party was paid what it had been credited."""

    party: int
    recipient: str

    def __str__(self) -> str:
        return f"party {self.party} claimed {self.amount_wei} wei to {self.recipient}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Refunded(RunFact):
    """What never was credited went back."""

    sponsor: str

    def __str__(self) -> str:
        return f"{self.amount_wei} wei returned to {self.sponsor}"


@dataclass(frozen=True, slots=True, kw_only=True)
class RoyaltyPaid(RunFact):
    """A buyer paid for a license of the run's model.

    Attributes:
        buyer: address.
        division: the same for all payments of a run: by what its parties were credited.
    """

    buyer: str
    division: Division

    def __str__(self) -> str:
        return f"{self.buyer} paid {self.amount_wei} wei for a license"


@dataclass(frozen=True, slots=True, kw_only=True)
class RoyaltyClaimed(RunFact):
    """A party was paid its royalties."""

    party: int
    recipient: str

    def __str__(self) -> str:
        paid = f"{self.amount_wei} wei of royalties"
        return f"party {self.party} claimed {paid} to {self.recipient}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Staked(StakeFact):
    """A party locked a stake."""

    def __str__(self) -> str:
        return f"party {self.party} put {self.amount_wei} wei at stake"


@dataclass(frozen=True, slots=True, kw_only=True)
class Unstaked(StakeFact):
    """A party got its stake back, or a part of it."""

    def __str__(self) -> str:
        return f"party {self.party} got {self.amount_wei} wei of its stake back"


@dataclass(frozen=True, slots=True, kw_only=True)
class Slashed(StakeFact):
    """A party lost `amount_wei` of its stake.

    Attributes:
        finder: address of who proved why.
        finder_wei: the finder's part of it.
        recipient: address that gets the rest.
    """

    finder: str
    finder_wei: int
    recipient: str

    def __str__(self) -> str:
        to = f"{self.finder_wei} of it to {self.finder}, the rest to {self.recipient}"
        return f"party {self.party} lost {self.amount_wei} wei of its stake, {to}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Collected(Fact):
    """An address was paid its part of slashed stakes."""

    account: str

    def __str__(self) -> str:
        return f"{self.account} collected {self.amount_wei} wei of penalties"
