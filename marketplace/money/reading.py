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
from metering.ledger import Book, Division, Fact, record
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
    history, book = MemoryHistory(), Book()
    facts: list[Fact] = []
    sealed: list[Record] = []
    metering: dict[str, int] = {}
    settled: set[tuple[str, int]] = set()
    for transaction in by_transaction(records):
        for each in transaction:
            history.note(each)
            if each.kind == "RunCreated":
                metering[each.run_id] = int(each.data["terms"]["metering"])
            elif each.kind == "Settled":
                settled.add((each.run_id, each.number("round")))
            elif each.kind == "Sealed" and each.number("round") > 0:  # round 0 trains nothing
                sealed.append(each)
        for fact in facts_of(transaction, history, book.balance_wei):
            record(book, fact)
            facts.append(fact)
    rounds = (_round(each, metering[each.run_id], history, settled, samples) for each in sealed)
    return Reading(tuple(facts), tuple(rounds))


def _round(
    sealed: Record,
    metering: int,
    history: MemoryHistory,
    settled: set[tuple[str, int]],
    samples: Samples | None,
) -> SealedRound:
    number = sealed.number("round")
    division: Division | None
    if metering == LOCAL:
        division = local_division(history, sealed.run_id, number)
        roster = tuple(party for party, _ in division.parts)
        if (sealed.run_id, number) not in settled:
            division = None  # rows may still come
    else:
        row = row_of(sealed.data)
        roster = tuple(party for party, _ in row)
        division = Division.by_row(row) if metering == COMMON else None
    told = {} if samples is None else samples(sealed.run_id, number)
    known = bool(roster) and all(party in told for party in roster)
    return SealedRound(
        place=sealed.place,
        run=sealed.run_id,
        round=number,
        model=str(sealed.data["merged_root"]),
        roster=roster,
        metered=division,
        samples={party: told[party] for party in roster} if known else None,
    )
