"""What the contracts would emit, from `metering.vesting.Pool`: histories to keep books of."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field

from metering.ledger import (
    ChainAccount,
    ChainPool,
    ChainRoyalties,
    Claimed,
    Collected,
    Credited,
    Division,
    Fact,
    Funded,
    Place,
    Refunded,
    RoyaltyClaimed,
    RoyaltyPaid,
    Slashed,
    Staked,
    Unstaked,
)
from metering.statement import SealedRound
from metering.vesting import Pool

CHAIN_ID = 31337
AGREEMENT = "0x" + "a9" * 32
SPONSOR, BUYER, CHARITY = ("0x" + byte * 20 for byte in ("50", "b0", "ca"))
PARTIES = (0, 1, 2, 5)


def run_id(number: int) -> str:
    return "0x" + f"{number:064x}"


def wallet(party: int) -> str:
    return "0x" + f"{party:040x}"


def hash_of(*parts: object) -> str:
    return "0x" + hashlib.sha256(repr(parts).encode()).hexdigest()


@dataclass
class Run:
    """One run as its contracts keep it."""

    run: str
    pool: Pool = field(default_factory=lambda: Pool(0, 1000, 0))
    claimed: dict[int, int] = field(default_factory=dict)
    refunded_wei: int = 0
    closed: bool = False
    rounds: int = 0
    license_wei: int = 0
    royalties_claimed: dict[int, int] = field(default_factory=dict)

    def entitled_wei(self, party: int) -> int:
        """What the party may ever have of the licenses paid so far."""
        accrued = self.pool.credited_wei.get(party, 0)
        return self.license_wei * accrued // (self.pool.credited_total_wei or 1)


class SimulatedChain:
    """Runs, their money, and the events of it. One event a block."""

    def __init__(self, runs: int = 1, branch: str = "main") -> None:
        self.branch = branch
        self.runs = [Run(run_id(number)) for number in range(runs)]
        self.facts: list[Fact] = []
        self.sealed: list[SealedRound] = []
        self.stakes: dict[tuple[str, int], int] = {}
        self.owed: dict[str, int] = {}

    def place(self) -> Place:
        block = len(self.facts) + len(self.sealed) + 1
        return Place(
            chain_id=CHAIN_ID,
            block=block,
            block_hash=hash_of(self.branch, block),
            log_index=block % 3,
            transaction=hash_of(self.branch, "transaction", block),
        )

    def fund(self, run: Run, wei: int) -> None:
        if run.closed:
            return
        run.pool.fund(wei)
        self.facts.append(Funded(place=self.place(), run=run.run, amount_wei=wei, sender=SPONSOR))

    def seal(self, run: Run, loss_e9: int, row: tuple[tuple[int, int], ...]) -> None:
        if run.closed:
            return
        run.rounds += 1
        credited_wei = sum(run.pool.settle(loss_e9, row).values())
        if credited_wei:
            credited = Credited(
                place=self.place(),
                run=run.run,
                round=run.rounds,
                amount_wei=credited_wei,
                vested_wei=run.pool.vested_wei,
                division=Division.by_row(row),
            )
            self.facts.append(credited)
        self.sealed.append(
            SealedRound(
                place=self.place(),
                run=run.run,
                round=run.rounds,
                model=hash_of(run.run, run.rounds),
                roster=PARTIES,
                metered=Division.by_row(row),
                samples={party: 10 * (party + 1) for party in PARTIES},
            )
        )

    def claim(self, run: Run, party: int) -> None:
        due_wei = run.pool.credited_wei.get(party, 0) - run.claimed.get(party, 0)
        if due_wei:
            run.claimed[party] = run.claimed.get(party, 0) + due_wei
            self.facts.append(
                Claimed(
                    place=self.place(),
                    run=run.run,
                    amount_wei=due_wei,
                    party=party,
                    recipient=wallet(party),
                )
            )

    def refund(self, run: Run) -> None:
        run.closed = True
        due_wei = run.pool.refund_wei() - run.refunded_wei
        if due_wei:
            run.refunded_wei += due_wei
            fact = Refunded(place=self.place(), run=run.run, amount_wei=due_wei, sponsor=SPONSOR)
            self.facts.append(fact)

    def buy_license(self, run: Run, wei: int) -> None:
        earned = sorted((party, amount) for party, amount in run.pool.credited_wei.items())
        if not run.closed or not any(amount for _, amount in earned):
            return
        run.license_wei += wei
        self.facts.append(
            RoyaltyPaid(
                place=self.place(),
                run=run.run,
                amount_wei=wei,
                buyer=BUYER,
                division=Division.by_amounts(earned),
            )
        )

    def claim_royalties(self, run: Run, party: int) -> None:
        claimed_wei = run.royalties_claimed.get(party, 0)
        if due_wei := run.entitled_wei(party) - claimed_wei:
            run.royalties_claimed[party] = claimed_wei + due_wei
            self.facts.append(
                RoyaltyClaimed(
                    place=self.place(),
                    run=run.run,
                    amount_wei=due_wei,
                    party=party,
                    recipient=wallet(party),
                )
            )

    def stake(self, party: int, wei: int) -> None:
        self.stakes[AGREEMENT, party] = self.stakes.get((AGREEMENT, party), 0) + wei
        self.facts.append(
            Staked(place=self.place(), agreement=AGREEMENT, party=party, amount_wei=wei)
        )

    def unstake(self, party: int) -> None:
        if wei := self.stakes.pop((AGREEMENT, party), 0):
            self.facts.append(
                Unstaked(place=self.place(), agreement=AGREEMENT, party=party, amount_wei=wei)
            )

    def slash(self, party: int) -> None:
        if wei := self.stakes.pop((AGREEMENT, party), 0):
            finder = wallet(100 + party)
            for account, part in ((finder, wei // 10), (CHARITY, wei - wei // 10)):
                self.owed[account] = self.owed.get(account, 0) + part
            self.facts.append(
                Slashed(
                    place=self.place(),
                    agreement=AGREEMENT,
                    party=party,
                    amount_wei=wei,
                    finder=finder,
                    finder_wei=wei // 10,
                    recipient=CHARITY,
                )
            )

    def collect(self, account: str) -> None:
        if wei := self.owed.pop(account, 0):
            self.facts.append(Collected(place=self.place(), amount_wei=wei, account=account))

    def pools(self) -> list[ChainPool]:
        return [
            ChainPool(
                run.run,
                run.pool.funded_wei,
                run.pool.credited_total_wei,
                sum(run.claimed.values()),
                run.refunded_wei,
                {
                    party: ChainAccount(wei, run.claimed.get(party, 0))
                    for party, wei in run.pool.credited_wei.items()
                },
            )
            for run in self.runs
        ]

    def royalties(self) -> list[ChainRoyalties]:
        return [
            ChainRoyalties(run.run, run.license_wei, run.royalties_claimed) for run in self.runs
        ]

    def tokens_wei(self) -> dict[str, int]:
        """What each contract holds."""
        pools = [
            run.pool.funded_wei - run.refunded_wei - sum(run.claimed.values()) for run in self.runs
        ]
        royalties = [run.license_wei - sum(run.royalties_claimed.values()) for run in self.runs]
        return {
            "Rewards": sum(pools),
            "Royalties": sum(royalties),
            "Stakes": sum(self.stakes.values()) + sum(self.owed.values()),
        }
