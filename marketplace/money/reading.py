"""From the chain's records to what statements are drawn up from, by issuer and verifier alike."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from marketplace.chain.facts import (
    LOCAL,
    MemoryHistory,
    by_transaction,
    facts_of,
    local_division,
    row_of,
)
from marketplace.chain.records import Record
from metering.errors import MeteringError
from metering.ledger import Account, Credited, Division, Fact, Tally
from metering.statement import SealedRound

COMMON: Final = 2
# Of a run and a round: party to samples, where its nodes told; see `runs.usage`.
Samples = Callable[[str, int], Mapping[int, int]]
# What has to be read: of all agreements, and of the runs in question.
OF_AGREEMENTS: Final = ("AgreementActivated", "AgreementAmended", "WalletChanged")
OF_RUNS: Final = (
    "RunCreated",
    "Sealed",
    "RowCounted",
    "Settled",
    "Credited",
    "Funded",
    "Refunded",
    "Claimed",
    "Licensed",
    "Paid",
    "ClaimedOfRoyalties",
)


@dataclass(frozen=True, slots=True)
class Reading:
    """What moved, and the rounds that it moved for, in the order of the chain."""

    facts: tuple[Fact, ...]
    rounds: tuple[SealedRound, ...]


def read(records: Iterable[Record], samples: Samples | None = None) -> Reading:
    """Reads the records of runs and of their agreements.

    Args:
        records: in the order of the chain, complete for each run, details included.
        samples: what nodes said about themselves; None: no share by size is stated.

    Raises:
        MeteringError: the records do not follow from each other.
    """
    try:
        return _read(records, samples)
    except KeyError as error:
        raise MeteringError(
            f"an event is about a run or an agreement that was not read: {error}",
            hint="read the chain from the block of the deployment",
        ) from error


def _read(records: Iterable[Record], samples: Samples | None) -> Reading:
    history, tally, tallied = MemoryHistory(), Tally(), 0
    facts: list[Fact] = []
    sealed: list[Record] = []
    metering: dict[str, int] = {}
    settled: set[tuple[str, int]] = set()
    paid: dict[tuple[str, int], Division] = {}

    def balance_wei(account: Account) -> int:
        """Few ask: what was paid for a license is divided by it."""
        nonlocal tallied
        for fact in facts[tallied:]:
            tally.add(fact)
        tallied = len(facts)
        return tally.balance_wei(account)

    for transaction in by_transaction(records):
        for each in transaction:
            history.note(each)
            if each.kind == "RunCreated":
                metering[each.run_id] = int(each.data["terms"]["metering"])
            elif each.kind == "Settled":
                settled.add((each.run_id, each.number("round")))
            elif each.kind == "Sealed" and each.number("round") > 0:  # round 0 trains nothing
                sealed.append(each)
        for fact in facts_of(transaction, history, balance_wei):
            facts.append(fact)
            if isinstance(fact, Credited):
                paid[fact.run, fact.round] = fact.division
    rounds = []
    for each in sealed:
        number, local = each.number("round"), metering[each.run_id] == LOCAL
        division = paid.get((each.run_id, number)) or (
            local_division(history, each.run_id, number)
            if local
            else Division.by_row(row_of(each.data))
        )
        # Of an unsettled round rows may still come; what is split otherwise is not measured.
        measured = (each.run_id, number) in settled if local else metering[each.run_id] == COMMON
        rounds.append(_round(each, division, measured, samples))
    return Reading(tuple(facts), tuple(rounds))


def _round(
    sealed: Record, division: Division, measured: bool, samples: Samples | None
) -> SealedRound:
    number = sealed.number("round")
    roster = tuple(party for party, _ in division.parts)
    told = {} if samples is None else samples(sealed.run_id, number)
    known = bool(roster) and all(party in told for party in roster)
    return SealedRound(
        place=sealed.place,
        run=sealed.run_id,
        round=number,
        model=str(sealed.data["merged_root"]),
        roster=roster,
        metered=division if measured else None,
        samples={party: told[party] for party in roster} if known else None,
    )
