"""A run as the index tells it: added up by the database, from its rounds and its accounts.

A run may have thousands of rounds, and most of those who look want their sums: so what is read here
is one line a run, however long it is. Amounts are balances of the books (`chain.books`).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import sqlalchemy as sa
from sqlalchemy.orm import Session

from contracts.messages import Terms, from_json
from contracts.training import Ending
from marketplace.access import Caller, visible
from marketplace.agreements.terms import BUDGET_RULES, METERING, NO_HASH
from marketplace.chain.books import balances_of
from marketplace.chain.outbox import events_of
from marketplace.errors import NotFound
from marketplace.storage.models import WITHOUT_TEXT, Agreement, Event, Round
from marketplace.storage.pieces import ALL, By, Piece, cut
from metering.ledger import Account, Kind, credited_wei
from metering.vesting import initial_loss_e9, vested_per_round_wei, vested_wei

_OF_RUN = (Kind.SPONSOR, Kind.ESCROW, Kind.REMAINDER, Kind.REFUNDED)


@dataclass(frozen=True, slots=True)
class Sealed:
    """What a run's sealed rounds come to. Losses and metrics in 1e-9."""

    rounds: int
    paid_rounds: int
    """Those whose row was not void; none under local metering, where rows come later."""
    first_loss: int
    """Of round 0."""
    lowest_paid_loss: int | None
    lowest_metric: int | None
    """Of the rounds after round 0; so is the highest."""
    highest_metric: int | None
    last_loss: int
    last_metric: int
    last_root: str


@dataclass(frozen=True, slots=True)
class Gains:
    """What was settled under local metering: gains in 1e-9, round 0's being the median loss."""

    rounds: int
    first: int
    best: int


@dataclass(frozen=True)
class RunFigures:
    """A run in figures."""

    run_id: str
    created: Event
    agreement: Agreement
    sealed: Sealed | None
    gains: Gains | None
    ending: Ending | None
    """Why no round follows; None while one is open."""
    is_settled: bool
    """Whether all rounds are paid, and the pool is closed."""
    funded_wei: int
    credited_wei: int

    @cached_property
    def terms(self) -> Terms:
        """What the run was created with: amendments of the agreement reach later runs only."""
        return from_json(Terms, self.created.data["terms"])

    @property
    def is_local(self) -> bool:
        """Whether each organization measures for itself, and rounds are settled later."""
        return _is_local(self.created)

    @property
    def name(self) -> str:
        return str(self.created.data["name"])

    @property
    def rounds(self) -> int:
        """How many are sealed, round 0 included."""
        return 0 if self.sealed is None else self.sealed.rounds

    @property
    def open_round(self) -> int | None:
        return self.rounds if self.ending is None else None

    @property
    def initial_loss_e9(self) -> int | None:
        """L0; None before round 0 is sealed, under local metering before it is settled."""
        ceiling = self.terms.loss_ceiling
        if self.is_local:
            return None if self.gains is None else initial_loss_e9(self.gains.first, ceiling)
        return None if self.sealed is None else initial_loss_e9(self.sealed.first_loss, ceiling)

    @property
    def best_loss_e9(self) -> int | None:
        """The lowest loss of a round that was not void: what vesting goes by."""
        first = self.initial_loss_e9
        if first is None:
            return None
        if self.gains is not None:
            return first - min(first, self.gains.best)
        lowest = None if self.sealed is None else self.sealed.lowest_paid_loss
        return first if lowest is None else min(first, lowest)

    @property
    def gain_ppm(self) -> int:
        """How much of the way from L0 to the target loss is done, in millionths."""
        first, best = self.initial_loss_e9, self.best_loss_e9
        if first is None or best is None:
            return 0
        span = first - self.terms.target_loss
        return 1_000_000 if span <= 0 else min(1_000_000, (first - best) * 1_000_000 // span)

    @property
    def vested_wei(self) -> int:
        """By the contract's rule, from what is funded now and the lowest loss up to now."""
        first, best = self.initial_loss_e9, self.best_loss_e9
        if first is None or best is None or first <= self.terms.target_loss:
            return 0
        if self.terms.budget_rule == BUDGET_RULES["per-round"]:
            # Round 0 is settled, too, and unpaid.
            sealed = self.sealed.paid_rounds if self.sealed else 0
            paid = self.gains.rounds - 1 if self.gains else sealed
            return vested_per_round_wei(self.funded_wei, paid, self.terms.max_rounds)
        return vested_wei(self.funded_wei, first - best, first - self.terms.target_loss)


def run_seen(session: Session, caller: Caller, run_id: str) -> RunFigures:
    """A run that the caller may see.

    Raises:
        NotFound: there is none, or it is none of his business.
    """
    found = _read(session, _query(caller).where(Event.run_id == run_id))
    if not found:
        raise NotFound(f"you take part in no run {run_id}")
    return found[0]


def runs_seen(
    session: Session,
    caller: Caller,
    piece: Piece = ALL,
    agreement_id: str | None = None,
    among: Collection[str] | None = None,
) -> list[RunFigures]:
    """The runs that the caller may see, newest first; of one agreement or `among` these, if given.

    Raises:
        InvalidInput: the piece's place is none.
    """
    query = _query(caller)
    if agreement_id is not None:
        query = query.where(Event.agreement_id == agreement_id)
    if among is not None:
        query = query.where(Event.run_id.in_(among))
    order = By(Event.block, falling=True), By(Event.log_index, falling=True)
    return _read(session, cut(query, piece, *order))


def names_of_runs(session: Session, agreement_id: str) -> dict[str, str]:
    """The names of all runs under an agreement by their ids, newest first."""
    query = sa.select(Event.run_id, Event.data["name"].as_string()).where(
        Event.kind == "RunCreated", Event.agreement_id == agreement_id
    )
    rows = session.execute(query.order_by(Event.block.desc(), Event.log_index.desc()))
    return {run_id: name for run_id, name in rows if run_id}


def initial_root(session: Session, run: RunFigures) -> str:
    """0x-hex root of the model it started from: the terms', or that of the run it continues."""
    created = run.created
    while (continued := created.data["continues"]) != NO_HASH:
        last = sa.select(Round).where(Round.run_id == continued).order_by(Round.number.desc())
        if (row := session.scalars(last.limit(1)).first()) is not None:
            return row.merged_root
        # One that ended before round 0 was sealed leaves the model that it began with.
        (created,) = events_of(session, "RunCreated", run_id=continued)
    return str(run.agreement.message["terms"]["initial_root"])


def _query(caller: Caller) -> sa.Select[Event, Agreement]:
    return (
        sa.select(Event, Agreement)
        .join(Agreement, Agreement.id == Event.agreement_id)
        .where(Event.kind == "RunCreated", visible(caller, Event.agreement_id))
        .options(*WITHOUT_TEXT)
    )


def _read(session: Session, query: sa.Select[Event, Agreement]) -> list[RunFigures]:
    rows = session.execute(query).all()
    ids = [created.run_id or "" for created, _ in rows]
    sealed, endings = _sealed(session, ids), _endings(session, ids)
    accounts = balances_of(session, [Account(kind, run) for run in ids for kind in _OF_RUN])

    def balance(account: Account) -> int:
        return accounts.get(account, 0)

    return [
        RunFigures(
            run_id=run_id,
            created=created,
            agreement=agreement,
            sealed=sealed.get(run_id),
            gains=_gains(session, run_id) if _is_local(created) else None,
            ending=endings.get(run_id, (None, False))[0],
            is_settled=endings.get(run_id, (None, False))[1],
            funded_wei=-balance(Account(Kind.SPONSOR, run_id)),
            credited_wei=credited_wei(run_id, balance),
        )
        for run_id, (created, agreement) in zip(ids, rows, strict=True)
    ]


def _is_local(created: Event) -> bool:
    return bool(created.data["terms"]["metering"] == METERING["local"])


def _sealed(session: Session, run_ids: Collection[str]) -> Mapping[str, Sealed]:
    later, paid = Round.number > 0, sa.and_(Round.number > 0, Round.paid != 0)
    sums = (
        sa.select(
            Round.run_id,
            sa.func.count().label("rounds"),
            sa.func.max(Round.number).label("last"),
            sa.func.count(sa.case((paid, 1))).label("paid_rounds"),
            sa.func.min(sa.case((Round.number == 0, Round.loss_after_e9))).label("first_loss"),
            sa.func.min(sa.case((paid, Round.loss_after_e9))).label("lowest_paid_loss"),
            sa.func.min(sa.case((later, Round.metric_e9))).label("lowest_metric"),
            sa.func.max(sa.case((later, Round.metric_e9))).label("highest_metric"),
        )
        .where(Round.run_id.in_(run_ids))
        .group_by(Round.run_id)
        .subquery()
    )
    query = sa.select(sums, Round.loss_after_e9, Round.metric_e9, Round.merged_root).join(
        Round, sa.and_(Round.run_id == sums.c.run_id, Round.number == sums.c.last)
    )
    return {
        row.run_id: Sealed(
            rounds=row.rounds,
            paid_rounds=row.paid_rounds,
            first_loss=row.first_loss,
            lowest_paid_loss=row.lowest_paid_loss,
            lowest_metric=row.lowest_metric,
            highest_metric=row.highest_metric,
            last_loss=row.loss_after_e9,
            last_metric=row.metric_e9,
            last_root=row.merged_root,
        )
        for row in session.execute(query)
    }


def _endings(session: Session, run_ids: Collection[str]) -> Mapping[str, tuple[Ending, bool]]:
    """Why runs ended, and whether they are settled: under local metering that comes later."""
    query = sa.select(Event.run_id, Event.kind, Event.data).where(
        Event.kind.in_(("Ended", "Finished")), Event.run_id.in_(run_ids)
    )
    return {
        row.run_id: (Ending(row.data["ending"]), row.kind == "Finished")
        for row in session.execute(query.order_by(Event.block, Event.log_index))
    }


def _gains(session: Session, run_id: str) -> Gains | None:
    settled = Event.kind == "Settled", Event.run_id == run_id
    count = session.scalar(sa.select(sa.func.count()).where(*settled)) or 0
    if not count:
        return None
    ends: Sequence[Event] = [
        session.scalars(sa.select(Event).where(*settled).order_by(*order).limit(1)).one()
        for order in (
            (Event.block, Event.log_index),
            (Event.block.desc(), Event.log_index.desc()),
        )
    ]
    return Gains(count, int(ends[0].data["gain"]), int(ends[1].data["best"]))
