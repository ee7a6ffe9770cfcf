"""From events to facts of the books: what moved, between whom, by which rule.

An event says how much moved in all. Who gets what of it follows from others: the row that was
sealed, the rows of local metering, the credits of a run's parties, the bylaws in force. `History`
is what has to be known of these.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final, Protocol

from contracts.messages import unpack_shares
from contracts.parties import parties_in
from marketplace.chain.records import Record
from metering.ledger import (
    Account,
    Claimed,
    Collected,
    Credited,
    Division,
    Fact,
    Funded,
    Kind,
    Refunded,
    RoyaltyClaimed,
    RoyaltyPaid,
    Slashed,
    Staked,
    Unstaked,
)
from metering.ledger.book import Balance
from metering.split import Row

LOCAL: Final = 3
Rows = Mapping[int, Row]


class History(Protocol):
    """What happened before, in the chain's order; events of the same transaction included."""

    def rows(self, run_id: str, round_number: int) -> Rows:
        """Party to its row of local metering, of those that counted."""
        ...

    def roster(self, run_id: str, round_number: int) -> int | None:
        """Set of the parties of a round that no row counts of; None if there are rows."""
        ...

    def party_count(self, run_id: str) -> int:
        """Parties of the run's agreement when the run was created."""
        ...

    def penalty_recipient(self, agreement_id: str) -> str:
        """Address, by the bylaws in force."""
        ...


class MemoryHistory:
    """A history that is told record by record."""

    def __init__(self) -> None:
        self._rows: dict[tuple[str, int], dict[int, Row]] = defaultdict(dict)
        self._rosters: dict[tuple[str, int], int] = {}
        self._parties: dict[str, int] = {}
        self._counts: dict[str, int] = {}
        self._recipients: dict[str, str] = {}

    def note(self, record: Record) -> None:
        """Remembers what others will need."""
        match record.kind:
            case "RowCounted":
                place = record.run_id, record.number("round")
                self._rows[place][record.number("party")] = row_of(record.data)
            case "Sealed" if "roster" in record.data:
                place = record.run_id, record.number("round")
                self._rosters[place] = record.number("roster")
            case "AgreementActivated" | "AgreementAmended":
                self._parties[record.agreement_id] = record.number("parties")
                self._recipients[record.agreement_id] = record.data["penalty_recipient"]
            case "RunCreated":
                self._counts[record.run_id] = self._parties[record.agreement_id]

    def rows(self, run_id: str, round_number: int) -> Rows:
        return self._rows.get((run_id, round_number), {})

    def roster(self, run_id: str, round_number: int) -> int | None:
        return self._rosters.get((run_id, round_number))

    def party_count(self, run_id: str) -> int:
        return self._counts[run_id]

    def penalty_recipient(self, agreement_id: str) -> str:
        return self._recipients[agreement_id]


def row_of(data: Mapping[str, Any]) -> Row:
    """The row of an event that has one."""
    return tuple(unpack_shares(bytes.fromhex(str(data["shares"])[2:])))


def local_division(history: History, run_id: str, round_number: int) -> Division:
    """How a round of local metering is divided, by the rows that counted."""
    rows = history.rows(run_id, round_number)
    listed = next(iter(rows.values()), None)
    if listed is not None:
        return Division.by_local_rows([party for party, _ in listed], rows)
    return Division.by_local_rows(parties_in(history.roster(run_id, round_number) or 0), {})


def facts_of(
    transaction: Sequence[Record], history: History, balance_wei: Balance
) -> Iterator[Fact]:
    """Yields what one transaction moved, in order.

    Args:
        transaction: all events that one transaction raised, in order.
        history: what is known, this transaction included.
        balance_wei: of the book, with each fact entered before the next is asked for.
    """
    open_credits: dict[str, Record] = {}
    for record in transaction:
        if record.kind == "Credited":
            open_credits[record.run_id] = record
        elif record.kind in ("Sealed", "Settled"):
            credited = open_credits.pop(record.run_id, None)
            if credited is not None:
                yield _credit(credited, record, history)
        else:
            yield from _plain(record, history, balance_wei)


def by_transaction(records: Iterable[Record]) -> Iterator[list[Record]]:
    """Yields the records of each transaction together, in the order of the chain."""
    group: list[Record] = []
    for record in records:
        if group and group[0].place.transaction != record.place.transaction:
            yield group
            group = []
        group.append(record)
    if group:
        yield group


def _credit(credited: Record, cause: Record, history: History) -> Credited:
    """The seal, or under local metering the settlement, says which round was paid."""
    round_number = cause.number("round")
    if cause.kind == "Settled":
        division = local_division(history, cause.run_id, round_number)
    else:
        division = Division.by_row(row_of(cause.data))
    return Credited(
        place=credited.place,
        run=credited.run_id,
        amount_wei=credited.number("credited"),
        round=round_number,
        vested_wei=credited.number("vested"),
        division=division,
    )


def _plain(record: Record, history: History, balance_wei: Balance) -> Iterator[Fact]:
    place, data, run = record.place, record.data, record.run_id
    amount_wei = int(data["amount"]) if "amount" in data else 0
    match record.kind:
        case "Funded":
            yield Funded(place=place, run=run, amount_wei=amount_wei, sender=data["sender"])
        case "Claimed":
            yield Claimed(
                place=place,
                run=run,
                amount_wei=amount_wei,
                party=data["party"],
                recipient=data["recipient"],
            )
        case "Refunded":
            yield Refunded(place=place, run=run, amount_wei=amount_wei, sponsor=data["sponsor"])
        case "Licensed" | "Paid":
            yield RoyaltyPaid(
                place=place,
                run=run,
                amount_wei=amount_wei,
                buyer=data.get("buyer") or data["sender"],
                division=_royalties(run, history, balance_wei),
            )
        case "ClaimedOfRoyalties":
            yield RoyaltyClaimed(
                place=place,
                run=run,
                amount_wei=amount_wei,
                party=data["party"],
                recipient=data["recipient"],
            )
        case "Collected":
            yield Collected(place=place, amount_wei=amount_wei, account=data["recipient"])
        case "Deposited" | "Withdrawn" | "Slashed":
            yield _stake(record, history, amount_wei)


def _stake(record: Record, history: History, amount_wei: int) -> Fact:
    place, data, agreement = record.place, record.data, record.agreement_id
    if record.kind == "Slashed":
        return Slashed(
            place=place,
            agreement=agreement,
            party=data["party"],
            amount_wei=record.number("penalty"),
            finder=data["finder"],
            finder_wei=record.number("reward"),
            recipient=history.penalty_recipient(agreement),
        )
    kind = Staked if record.kind == "Deposited" else Unstaked
    return kind(place=place, agreement=agreement, party=data["party"], amount_wei=amount_wei)


def _royalties(run: str, history: History, balance_wei: Balance) -> Division:
    """By what each party was credited; where nobody was, equally among all."""
    count = history.party_count(run)
    accrued = [
        (party, sum(balance_wei(Account(kind, run, party)) for kind in (Kind.CLAIMABLE, Kind.PAID)))
        for party in range(count)
    ]
    if any(wei for _, wei in accrued):
        return Division.by_amounts(accrued)
    return Division(tuple((party, 1) for party in range(count)), count)
