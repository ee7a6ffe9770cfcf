"""A run as the index tells it: its rounds, its losses, its money."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import sqlalchemy as sa
from sqlalchemy.orm import Session

from contracts.messages import Terms, from_json
from contracts.training import Ending
from marketplace.access import Caller, visible
from marketplace.agreements.terms import BUDGET_RULES, METERING, NO_HASH
from marketplace.chain.outbox import events_of
from marketplace.errors import NotFound
from marketplace.storage.models import Agreement, Credit, Event, Round
from metering.vesting import initial_loss_e9, vested_per_round_wei, vested_wei


@dataclass(frozen=True)
class RunHistory:
    """Everything that happened in a run, in the order of the chain."""

    run_id: str
    created: Event
    agreement: Agreement
    rounds: Sequence[Round]
    credits: Sequence[Credit]
    events: Sequence[Event]
    initial_root: str
    """0x-hex root of the model it started from: the terms', or that of the run it continues."""

    @cached_property
    def terms(self) -> Terms:
        """What the run was created with: amendments of the agreement reach later runs only."""
        return from_json(Terms, self.created.data["terms"])

    @property
    def is_local(self) -> bool:
        """Whether each organization measures for itself, and rounds are settled later."""
        return self.terms.metering == METERING["local"]

    @property
    def name(self) -> str:
        return str(self.created.data["name"])

    @cached_property
    def ending(self) -> Ending | None:
        """Why it is over; None while it is open."""
        found = next(iter(self.of_kind("Finished")), None)
        return None if found is None else Ending(found.data["ending"])

    @property
    def open_round(self) -> int | None:
        return len(self.rounds) if self.ending is None else None

    @property
    def initial_loss_e9(self) -> int | None:
        """L0; None before round 0 is sealed, under local metering before it is settled."""
        if self.is_local:
            return next(
                (
                    initial_loss_e9(int(each.data["gain"]), self.terms.loss_ceiling)
                    for each in self.of_kind("Settled")
                ),
                None,
            )
        if not self.rounds:
            return None
        return initial_loss_e9(self.rounds[0].loss_after_e9, self.terms.loss_ceiling)

    @property
    def best_loss_e9(self) -> int | None:
        """The lowest loss of a round that was not void: what vesting goes by."""
        first = self.initial_loss_e9
        if first is None:
            return None
        if self.is_local:
            return first - min(first, int(self.of_kind("Settled")[-1].data["best"]))
        return min([first, *(each.loss_after_e9 for each in self.rounds[1:] if each.shares)])

    @property
    def gain_ppm(self) -> int:
        """How much of the way from L0 to the target loss is done, in millionths."""
        first, best = self.initial_loss_e9, self.best_loss_e9
        if first is None or best is None:
            return 0
        span = first - self.terms.target_loss
        return 1_000_000 if span <= 0 else min(1_000_000, (first - best) * 1_000_000 // span)

    @property
    def funded_wei(self) -> int:
        return sum(int(event.data["amount"]) for event in self.of_kind("Funded"))

    @property
    def vested_wei(self) -> int:
        """By the contract's rule, from what is funded now and the lowest loss up to now."""
        first, best = self.initial_loss_e9, self.best_loss_e9
        if first is None or best is None or first <= self.terms.target_loss:
            return 0
        if self.terms.budget_rule == BUDGET_RULES["per-round"]:
            if self.is_local:
                paid = len(self.of_kind("Settled")) - 1  # round 0 is settled, and unpaid
            else:
                paid = sum(1 for each in self.rounds[1:] if each.shares)
            return vested_per_round_wei(self.funded_wei, paid, self.terms.max_rounds)
        return vested_wei(self.funded_wei, first - best, first - self.terms.target_loss)

    @property
    def credited_wei(self) -> int:
        return sum(each.amount_wei for each in self.credits)

    def credited_to_wei(self, party: int) -> int:
        return sum(each.amount_wei for each in self.credits if each.party == party)

    def claimed_by_wei(self, party: int) -> int:
        paid = (each for each in self.of_kind("Claimed") if each.data["party"] == party)
        return sum(int(event.data["amount"]) for event in paid)

    @property
    def openings(self) -> list[Event]:
        """Latest first: a round that stalled is opened more than once, and the last one counts."""
        return self.of_kind("RoundOpened")[::-1]

    def of_kind(self, kind: str) -> list[Event]:
        return [event for event in self.events if event.kind == kind]


def run_seen(session: Session, caller: Caller, run_id: str) -> RunHistory:
    """A run that the caller may see.

    Raises:
        NotFound: there is none, or it is none of his business.
    """
    created = session.scalar(
        sa.select(Event).where(
            Event.kind == "RunCreated", Event.run_id == run_id, visible(caller, Event.agreement_id)
        )
    )
    agreement = session.get(Agreement, created.agreement_id) if created is not None else None
    if created is None or agreement is None:
        raise NotFound(f"you take part in no run {run_id}")
    return _history(session, created, agreement)


def runs_seen(session: Session, caller: Caller) -> list[RunHistory]:
    """The runs that the caller may see, newest first."""
    query = (
        sa.select(Event, Agreement)
        .join(Agreement, Agreement.id == Event.agreement_id)
        .where(Event.kind == "RunCreated", visible(caller, Event.agreement_id))
        .order_by(Event.block.desc(), Event.log_index.desc())
    )
    return [_history(session, created, agreement) for created, agreement in session.execute(query)]


def _history(session: Session, created: Event, agreement: Agreement) -> RunHistory:
    run_id = created.run_id or ""
    rounds = sa.select(Round).where(Round.run_id == run_id).order_by(Round.number)
    credits = sa.select(Credit).where(Credit.run_id == run_id).order_by(Credit.round, Credit.party)
    kinds = ("Finished", "Funded", "Claimed", "Refunded", "RoundOpened", "Settled")
    events = [event for kind in kinds for event in events_of(session, kind, run_id=run_id)]
    return RunHistory(
        run_id=run_id,
        created=created,
        agreement=agreement,
        rounds=session.scalars(rounds).all(),
        credits=session.scalars(credits).all(),
        events=events,
        initial_root=_initial_root(session, created, agreement),
    )


def _initial_root(session: Session, created: Event, agreement: Agreement) -> str:
    while (continued := created.data["continues"]) != NO_HASH:
        last = sa.select(Round).where(Round.run_id == continued).order_by(Round.number.desc())
        if (row := session.scalars(last.limit(1)).first()) is not None:
            return row.merged_root
        # One that ended before round 0 was sealed leaves the model that it began with.
        (created,) = events_of(session, "RunCreated", run_id=continued)
    return str(agreement.message["terms"]["initial_root"])
