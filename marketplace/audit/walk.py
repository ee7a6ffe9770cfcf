"""Through a run in the order of the chain, each step held to what follows from those before."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field

from contracts import events
from contracts.errors import MessageError
from contracts.messages import (
    Attestation,
    first_prev,
    members_root,
    next_prev,
    reopened_prev,
    unpack_shares,
)
from contracts.parties import parties_in
from contracts.votes import common_part
from marketplace.audit.artifacts import Artifacts
from marketplace.audit.commits import Files, Sealed
from marketplace.audit.findings import Difference, Findings, FirstDifference, Place, Step
from marketplace.audit.merging import Merge, Merging
from marketplace.audit.money import Money
from marketplace.audit.records import Records
from marketplace.audit.rows import Rows
from marketplace.audit.scores import Measure
from marketplace.audit.seals import Members, Seal, check_rows, check_seal, is_local
from metering.errors import MeteringError


@dataclass(slots=True)
class RoundResult:
    """What was recomputed of one round; `credited_wei` by party."""

    round: int
    transaction: str
    updates: int | None = None
    merged: bool = False
    row: str = ""
    credited_wei: dict[int, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Audit:
    """How an audit ended."""

    records: Records
    findings: Findings
    money: Money
    rounds: tuple[RoundResult, ...]
    difference: Difference | None

    @property
    def complete(self) -> bool:
        """Everything was recomputed, up to the first difference."""
        return not self.findings.gaps


def audit(records: Records, artifacts: Artifacts, measure: Measure | None = None) -> Audit:
    """Recompute a run from its records and files, up to the first difference."""
    walk = _Walk(records, artifacts, measure)
    difference = None
    try:
        walk.go()
    except FirstDifference as found:
        difference = found.difference
    finally:
        walk.merging.close()
    return Audit(records, walk.findings, walk.money, tuple(walk.results.values()), difference)


class _Walk:
    def __init__(self, records: Records, artifacts: Artifacts, measure: Measure | None) -> None:
        self.records = records
        self.findings = Findings()
        self.money = Money(records, self.findings)
        self.files = Files(self.findings, artifacts)
        self.merging = Merging(records, self.findings, self.files)
        self.rows = Rows(records, self.findings, self.money, measure)
        self.results: dict[int, RoundResult] = {}
        self._opened: events.RoundOpened | None = None
        self._before: events.Reopened | Attestation | None = None
        """What the next opening follows; None at the start."""
        self._prev = b""
        self._base_root = records.run.initial_root
        self._members: dict[int, Members] = {}
        self._rosters: dict[int, tuple[int, ...]] = {}
        self._reports: dict[int, list[events.RowCounted]] = defaultdict(list)

    def go(self) -> None:
        """Raises FirstDifference."""
        for event in self.records.events:
            if getattr(event, "run_id", None) == self.records.run_id:
                self._take(event)
        self.money.check_transfers(self.records.events)
        self.money.check_balance()

    def _take(self, event: events.Event) -> None:
        try:
            match event:
                case events.RoundOpened():
                    self._open(event)
                case events.Reopened():
                    self._before = event
                case events.RowCounted():
                    self._row(event)
                case events.Sealed():
                    self._seal(event)
                case events.Settled():
                    self._settle(event)
                case events.Funded():
                    self.money.fund(event)
                case events.Claimed() if event.contract == self.records.deployment.rewards:
                    self.money.claim(event)
                case events.Refunded():
                    self.money.refund(event)
        except (MessageError, MeteringError) as error:
            # Neither contract nor node would have taken it: the records are not of this chain.
            place = Place(
                step=Step.SEAL,
                round=getattr(event, "round", None),
                transaction=event.transaction,
            )
            self.findings.differ(place, type(event).__name__, "one that can be", str(error))

    def _open(self, event: events.RoundOpened) -> None:
        place = Place(step=Step.OPENING, round=event.round, transaction=event.transaction)
        root = self.records.snapshots.get(event.snapshot_version)
        if root is None:
            self.findings.differ(
                place, "its snapshot", "one that is on chain", f"version {event.snapshot_version}"
            )
            return
        members = members_root(root, event.active)
        match self._before:
            case None:
                number, expected = 0, first_prev(self.records.run_id, members)
            case events.Reopened() as reopened:
                number, expected = reopened.round, reopened_prev(self._prev, members)
            case attestation:
                number, expected = attestation.round + 1, next_prev(attestation, members)
        self.findings.same(place, "round that was opened", number, event.round)
        self.findings.same(place, "prev", expected, event.prev)
        self.findings.done(Step.OPENING)
        self._opened, self._prev = event, event.prev
        self._members[event.round] = Members.of(self.records, event.snapshot_version, event.active)

    def _row(self, event: events.RowCounted) -> None:
        self._known(event, event.round)
        check_rows(self.records, self.findings, event, self._members[event.round])
        self._reports[event.round].append(event)

    def _seal(self, event: events.Sealed) -> None:
        place = Place(step=Step.SEAL, round=event.round, transaction=event.transaction)
        opened = self._opened
        if opened is None or opened.round != event.round:
            self.findings.differ(place, "its opening", "one before it", "none")
            return
        self.findings.same(place, "prev", self._prev, event.prev)
        members = self._members[event.round]
        seal = check_seal(self.records, self.findings, event, members)
        attestation = _attestation(event)
        sealed = Sealed(attestation, event.transaction, members, self._base_root)
        result = self.results[event.round] = RoundResult(event.round, event.transaction)
        if event.round == 0:
            self._start(event, sealed)
        else:
            merge = self.merging.merge(sealed)
            if merge:
                result.updates, result.merged = len(merge.commits), merge.merged is not None
            self._credit(event, sealed, seal, merge, result)
        self._before, self._opened = (
            common_part(attestation) if is_local(self.records) else attestation,
            None,
        )
        self._base_root = event.merged_root

    def _start(self, event: events.Sealed, sealed: Sealed) -> None:
        place = sealed.place(Step.MERGE)
        self.findings.same(place, "model at the start", self._base_root, event.merged_root)
        if not is_local(self.records):
            base = self.files.find(sealed, Step.MERGE, "", self._base_root, "the initial model")
            self.rows.check_start(sealed, base)
            self.money.begin(event.loss_after)

    def _credit(
        self,
        event: events.Sealed,
        sealed: Sealed,
        seal: Seal | None,
        merge: Merge | None,
        result: RoundResult,
    ) -> None:
        if is_local(self.records):
            self._roster_of_rows(sealed, seal, merge)
            result.row = "each its own"
            return
        result.row = self.rows.check(sealed, merge)
        place = sealed.place(Step.CREDIT)
        row = unpack_shares(event.shares)
        result.credited_wei = self.money.settle(place, event.loss_after, row, event.credited)

    def _roster_of_rows(self, sealed: Sealed, seal: Seal | None, merge: Merge | None) -> None:
        """Local metering: the organizations of the roster are those that the first row lists."""
        number, place = sealed.attestation.round, sealed.place(Step.ROW)
        if seal and seal.votes:
            rows = [unpack_shares(vote.attestation.shares) for vote in seal.votes]
        else:
            rows = [unpack_shares(each.shares) for each in self._reports[number]]
        listed = tuple(party for party, _ in rows[0]) if rows else ()
        if merge:
            roster = tuple(sorted(set(merge.parties)))
            self.findings.same(place, "organizations that rows list", roster, listed)
        self._rosters[number] = listed
        self.findings.done(Step.ROW)

    def _known(self, event: events.Event, number: int, *, is_sealed: bool = False) -> None:
        """Is it about a round that was opened, or even sealed, before?"""
        if number not in (self.results if is_sealed else self._members):
            place = Place(step=Step.OPENING, round=number, transaction=event.transaction)
            what = f"the round of {type(event).__name__}"
            self.findings.differ(place, what, "one that came before", "none")

    def _settle(self, event: events.Settled) -> None:
        self._known(event, event.round, is_sealed=True)
        roster = self._rosters.get(event.round, parties_in(self._members[event.round].active))
        credited = self.money.settle_local(event, roster, self._reports[event.round])
        self.results[event.round].credited_wei = dict(credited)


def _attestation(event: events.Sealed) -> Attestation:
    return Attestation(
        event.run_id,
        event.round,
        event.prev,
        event.term,
        event.roster_root,
        event.merged_root,
        event.loss_before,
        event.loss_after,
        event.metric,
        event.shares,
        event.rejects,
    )


def totals_wei(result: Audit) -> Mapping[str, int]:
    """Where the pool went, in wei; `left` is what must still be in escrow."""
    money = result.money
    return {
        "funded": money.funded_wei,
        "credited": sum(money.credited_wei.values()),
        "claimed": money.claimed_wei.total(),
        "refunded": money.refunded_wei,
        "left": money.left_wei,
    }
