"""The demo's figures: from each agent's `rounds.jsonl`, and from the chain."""

from __future__ import annotations

import json
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from contracts import Contracts
from contracts.events import Claimed, Event, Funded, Refunded, Sealed, logs
from metering.split import equal_bips, size_bips
from scripts.demo.parties import INSTITUTES

ROUNDS_FILE = "rounds.jsonl"
_BIPS = 10_000


@dataclass(frozen=True, slots=True)
class Rounds:
    """What the agents noted of every round: node key to round number to report."""

    reports: Mapping[str, Mapping[int, Mapping[str, Any]]]

    @classmethod
    def read(cls, folders: Mapping[str, Path]) -> Rounds:
        return cls({key: _reports(folder / ROUNDS_FILE) for key, folder in folders.items()})

    @property
    def count(self) -> int:
        """Training rounds, so without round 0."""
        return max((number for each in self.reports.values() for number in each), default=0)

    def first_step_at(self) -> float:
        """Unix time at which the last node got the common start, and took its first step."""
        return max(float(each[0]["finished_at"]) for each in self.reports.values() if 0 in each)

    def overhead_s(self) -> dict[str, float]:
        """Over the rounds, of the slowest node's time from trained to loaded, less measuring."""
        slowest = [
            max(waited)
            for number in range(1, self.count + 1)
            if (waited := [v for v in self._values(number, "overhead_s") if v is not None])
        ]
        if not slowest:
            return {"median": 0.0, "p95": 0.0}
        last = len(slowest) - 1
        p95 = sorted(slowest)[min(last, round(0.95 * last))]
        return {"median": round(statistics.median(slowest), 4), "p95": round(p95, 4)}

    def bytes_sent(self) -> int:
        """On average, by a node in a round."""
        sent = [
            v for number in range(1, self.count + 1) for v in self._values(number, "bytes_sent")
        ]
        return round(statistics.fmean(sent)) if sent else 0

    def distinct_roots(self, sealed: Mapping[int, str]) -> int:
        """The most different merged models that nodes and seal had in a round: 1 if all is well."""
        return max(
            len({root, *filter(None, self._values(number, "merged_root"))})
            for number, root in sealed.items()
        )

    def samples(self) -> list[int]:
        """Samples behind each institute's updates, in all."""
        return [
            sum(report["samples"] for report in self.reports[each.key].values())
            for each in INSTITUTES
        ]

    def _values(self, number: int, name: str) -> list[Any]:
        return [each[number][name] for each in self.reports.values() if number in each]


@dataclass(frozen=True, slots=True)
class Money:
    """Where the pool went, to the last wei; accounts as the token itself has them."""

    funded_wei: int
    claimed_wei: Mapping[str, int]
    refunded_wei: int
    left_wei: int
    accrued_wei: Mapping[str, int]

    @property
    def error_wei(self) -> int:
        """What is missing or too much; anything but zero would be a fault of the contracts."""
        return self.funded_wei - sum(self.claimed_wei.values()) - self.refunded_wei - self.left_wei

    def metered_bips(self) -> list[int]:
        """Basis points of what was credited, rounded down."""
        total = sum(self.accrued_wei.values())
        return [amount * _BIPS // total if total else 0 for amount in self.accrued_wei.values()]


def shares(money: Money, samples: Sequence[int]) -> dict[str, list[float]]:
    """Each institute's share, metered beside the baselines."""
    rows = {
        "metered": money.metered_bips(),
        "equal": equal_bips(len(INSTITUTES)),
        "size": size_bips(samples),
    }
    return {name: [bips / _BIPS for bips in row] for name, row in rows.items()}


async def figures_of(
    contracts: Contracts, events: Sequence[Event], rounds: Rounds, money: Money
) -> dict[str, Any]:
    """What the rounds and the chain tell, under the names of the JSON file."""
    gas = await gas_by_round(contracts, events)
    sealed = [event for event in events if isinstance(event, Sealed)]
    return {
        "rounds": rounds.count,
        "round_overhead_s": rounds.overhead_s(),
        "gas_per_round": round(statistics.median(gas[n] for n in gas if n > 0)),
        "gas_by_round": [gas[number] for number in sorted(gas)],
        "bytes_sent_per_node_round": rounds.bytes_sent(),
        "shares": shares(money, rounds.samples()),
        "funded_wei": money.funded_wei,
        "claimed_wei": sum(money.claimed_wei.values()),
        "refunded_wei": money.refunded_wei,
        "conservation_error_wei": money.error_wei,
        "distinct_merged_hashes_max": rounds.distinct_roots(
            {event.round: event.merged_root.hex() for event in sealed}
        ),
        "final_merged_root": sealed[-1].merged_root.hex(),
        "losses": [event.loss_after / 1e9 for event in sealed],
    }


async def chain_events(contracts: Contracts, run_id: bytes) -> list[Event]:
    """All that the contracts have said about one run."""
    last = await contracts.chain.block_number()
    found = await logs(contracts.chain, contracts.deployment, 0, last)
    return [event for event in found if getattr(event, "run_id", None) == run_id]


async def gas_by_round(contracts: Contracts, events: Sequence[Event]) -> dict[int, int]:
    """Gas of each round's one transaction."""
    gas = {}
    for event in events:
        if isinstance(event, Sealed):
            receipt = await contracts.chain.request("eth_getTransactionReceipt", event.transaction)
            gas[event.round] = int(receipt["gasUsed"], 16)
    return gas


async def money_of(
    contracts: Contracts, run_id: bytes, events: Sequence[Event], wallets: Mapping[str, str]
) -> Money:
    """Counts the run's money.

    What went in and back is taken from the contracts' events, what institutes hold and what is
    left from the token's own balances: the two agree only if nothing got lost on the way.
    """
    accrued = {
        each.key: (await contracts.rewards.account(run_id, party)).accrued
        for party, each in enumerate(INSTITUTES)
    }
    held = {each.key: await contracts.token.balance_of(wallets[each.key]) for each in INSTITUTES}
    assert sum(held.values()) == sum(e.amount for e in events if isinstance(e, Claimed))
    return Money(
        funded_wei=sum(event.amount for event in events if isinstance(event, Funded)),
        claimed_wei=held,
        refunded_wei=sum(event.amount for event in events if isinstance(event, Refunded)),
        left_wei=await contracts.token.balance_of(contracts.rewards.address),
        accrued_wei=accrued,
    )


def _reports(path: Path) -> dict[int, dict[str, Any]]:
    """One file's reports by round; of a round noted twice (after a restart), the last."""
    if not path.exists():
        return {}
    lines = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines() if line]
    return {line["round"]: line for line in lines}
