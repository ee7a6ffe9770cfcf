"""The model of a run under `local` metering: rows come with the seal of their round, or later."""

from __future__ import annotations

from dataclasses import dataclass, field

from contracts.training import State
from metering.errors import MeteringError
from metering.local_pool import LocalPool, Report, lower_median, round_gain_e9
from metering.split.local import check_local_row
from tests.chain.machine.membership import Membership
from tests.chain.machine.refusal import Refused
from tests.chain.machine.runs import Measured, Rows, Run
from tests.chain.machine.stakes import Stakes

NO_DATA = 2**64 - 1  # a loss, of who has nothing to evaluate on


@dataclass(slots=True)
class Book:
    """The round that was sealed last, while rows may still come for it."""

    round: int
    version: int
    roster: tuple[int, ...]
    rows: dict[int, Measured] = field(default_factory=dict)  # by party: those that were heard


@dataclass(slots=True)
class LocalRun(Run):
    """A run whose rounds are settled one later."""

    book: Book | None = None
    sum_e9: int = 0
    best_e9: int = 0

    @property
    def waits(self) -> bool:
        return self.book is not None

    def seal_local(
        self,
        now: int,
        who: Membership,
        stakes: Stakes,
        round_: int,
        rows: Rows,
        late: Rows,
        same_prev: bool = True,
    ) -> None:
        self.require(State.OPEN)
        self.check_history(round_, same_prev)
        if late:
            self.add_rows(who, late)
        before, self.book = self.book, None
        book = Book(self.round, self.version, tuple(sorted(self.active)))
        if self.round and rows:
            listed = tuple(party for party, _ in rows[min(rows)].row)
            if list(listed) != sorted(set(listed) & self.active):
                raise Refused("Training_BadShares")
            book.roster = listed
        elif self.round:
            book.roster = ()
        signed = self._hear(who, book, rows, self.active)
        self.check_quorum({who.nodes[each].party for each in signed})
        if before:
            self._settle(before)
        at_target = 2 * sum(self.at_target(rows[each]) for each in signed) > len(self.active)
        self.proceed(now, who, stakes, {who.nodes[each].party for each in signed}, at_target, ())
        self.book = book
        pool = self.purse.pool
        if book.round and isinstance(pool, LocalPool) and not pool.ended_unpaid:
            pool.seal(book.roster)

    def add_rows(self, who: Membership, late: Rows) -> None:
        if self.book is None:
            raise Refused("LocalRows_NotWaiting")
        missing = set(self.book.roster) - self.book.rows.keys()
        self._hear(who, self.book, late, missing)

    def settle(self, now: int) -> None:
        self.require(State.SETTLING)
        assert self.book is not None
        until = self.opened_at + self.terms.stall_time
        if len(self.book.rows) < len(self.book.roster) and now < until:
            raise Refused("Training_RowsMissing", until=until)
        self._settle(self.book)
        self.book = None
        self.state = State.FINISHED
        self.purse.closed = True

    def _hear(self, who: Membership, book: Book, rows: Rows, listened: set[int]) -> list[int]:
        """Returns whose rows were taken: of each organization the lowest registration's."""
        who.check_members(tuple(sorted(rows)), book.version)
        heard: dict[int, int] = {}
        for registration, row in sorted(rows.items()):
            party = who.nodes[registration].party
            if party in listened and party not in heard:
                heard[party] = registration
                self._check(book, party, row)
                if party in book.roster:
                    book.rows[party] = row
        return list(heard.values())

    @staticmethod
    def _check(book: Book, party: int, row: Measured) -> None:
        if not book.round:
            if row.row:
                raise Refused("Training_BadShares", index=0)
            return
        # Who has no part in the round may write anything into its own row, within the rules: an
        # outsider's is looked at as if it were that of the organization that it gives nothing.
        own = party if party in book.roster else next((p for p, bips in row.row if not bips), -1)
        if not book.roster and not row.row:
            return
        try:
            check_local_row(own, book.roster, row.row)
        except MeteringError as error:
            raise Refused("Training_BadShares") from error

    def _settle(self, book: Book) -> None:
        if not book.round:
            losses = [each.loss_after for each in book.rows.values()]
            known = [each for each in losses if each != NO_DATA]
            self.begin(lower_median(known) if known else NO_DATA)
            self.purse.open(LocalPool, self.initial_loss)
            return
        self.idle += 1
        reports = {party: _report(row) for party, row in book.rows.items()}
        if book.roster:
            self.paid += 1
            self.sum_e9 += round_gain_e9(book.roster, reports)
            if self.sum_e9 > self.best_e9:
                self.best_e9, self.idle = self.sum_e9, 0
        self.best_loss = max(0, self.initial_loss - self.best_e9)
        pool = self.purse.pool
        if isinstance(pool, LocalPool) and not pool.ended_unpaid:
            for party, report in reports.items():
                pool.report(party, report)
            pool.settle()


def _report(row: Measured) -> Report:
    if row.loss_after == NO_DATA:
        return Report(0, 0, row.row)
    return Report(row.loss_before, row.loss_after, row.row)
