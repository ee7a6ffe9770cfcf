"""The model of a run: rounds, quorum, what a seal needs, strikes, the end."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from contracts import messages as m
from contracts.training import Ending, State
from metering.split.rows import FULL_BIPS, Row
from metering.vesting import Pool, initial_loss_e9
from tests.chain.machine.membership import Membership, Votes
from tests.chain.machine.money import Purse
from tests.chain.machine.refusal import Refused
from tests.chain.machine.stakes import Stakes

EQUAL, SIZE, COMMON, LOCAL = range(4)
LOSS, LOWEST, HIGHEST = range(3)
UNAVAILABLE = 6


@dataclass(frozen=True, slots=True)
class Measured:
    """What is measured of a round, and who is paid for it."""

    loss_before: int
    loss_after: int
    metric: int
    row: Row


Rows = Mapping[int, Measured]  # by registration


@dataclass(frozen=True, slots=True)
class Seal:
    """A round as it is posted, with one row signed by all; registrations sign."""

    round: int
    same_prev: bool
    measured: Measured
    rejects: tuple[tuple[int, int], ...]
    signers: tuple[int, ...]


@dataclass(slots=True)
class Conduct:
    """Of a party in a run: the rounds it was struck in, the latest first; its quarantine's end."""

    struck_in: list[int] = field(default_factory=list)
    until: int = 0


def check_shares(row: Row, active: set[int], equally: bool) -> None:
    """Refuses what Training does, of a row that all have signed."""
    equal, least, total = FULL_BIPS // max(1, len(row)), 0, 0
    for index, (party, bips) in enumerate(row):
        total += bips
        if party < least or party not in active or total > FULL_BIPS:
            raise Refused("Training_BadShares", index=index)
        if (equally or len(row) == 2) and bips != equal:
            raise Refused("Training_NotEqual", index=index, expected_bips=equal, got_bips=bips)
        least = party + 1


@dataclass(slots=True)
class Run:
    """A run with one row a round; `local.LocalRun` has rows of their own."""

    purse: Purse
    terms: m.Terms
    generation: int
    parties: int  # there were when it was created: who came later is not counted
    min_peers: int
    staked: bool  # whether a stake is asked for
    state: State = State.OPEN
    round: int = 0
    version: int = 0
    active: set[int] = field(default_factory=set)
    opened_at: int = 0
    ending: Ending = Ending.TARGET_REACHED
    initial_loss: int = 0
    best_loss: int = 0
    last_loss: int = 0
    last_metric: int = 0
    best_metric: int = 0
    paid: int = 0
    idle: int = 0
    conduct: dict[int, Conduct] = field(default_factory=dict)
    quarantined: set[int] = field(default_factory=set)
    pardons: int = 0

    @property
    def quorum(self) -> int:
        return max(self.min_peers, len(self.active) // 2 + 1)

    def open(self, now: int, who: Membership, stakes: Stakes, kept: set[int]) -> None:
        """Opens `round` with whom the latest snapshot, stakes, presence and conduct let in."""
        self.version, self.opened_at = who.changes, now
        active = {party for party in who.active(now) if party < self.parties}
        if self.staked:
            active &= stakes.staked
        active -= who.away - kept
        if self.quarantined:
            over = {each for each in self.quarantined if self.conduct[each].until <= now}
            self.quarantined -= over
            if len(active - self.quarantined) >= self.min_peers:
                active -= self.quarantined
        self.active = active

    def require(self, state: State) -> None:
        if self.state != state:
            raise Refused("Training_WrongState", run_id=self.purse.run_id, state=self.state)

    def check_history(self, round_: int, same_prev: bool, row: Row = ()) -> None:
        if round_ != self.round:
            raise Refused("Training_WrongRound", expected=self.round, got=round_)
        if not same_prev:
            raise Refused("Training_WrongPrev")
        if not self.round and row:
            raise Refused("Training_NotTheStart")

    def check_quorum(self, signed: set[int]) -> None:
        if len(signed) < self.quorum:
            raise Refused("Training_NoQuorum", organizations=len(signed), needed=self.quorum)

    def seal(self, now: int, who: Membership, stakes: Stakes, seal: Seal) -> None:
        self.require(State.OPEN)
        if self.terms.metering == LOCAL:
            raise Refused("Training_OtherMetering", metering=LOCAL)
        measured = seal.measured
        self.check_history(seal.round, seal.same_prev, measured.row)
        if self.round:
            check_shares(measured.row, self.active, self.terms.metering == EQUAL)
        who.check_members(seal.signers, self.version)
        signed = {who.nodes[each].party for each in seal.signers} & self.active
        self.check_quorum(signed)
        self._measure(measured)
        at_target = self.at_target(measured)
        self.proceed(now, who, stakes, signed, at_target, seal.rejects)
        pool = self.purse.pool
        if measured.row and isinstance(pool, Pool) and not pool.ended_unpaid:
            pool.settle(measured.loss_after, measured.row)
        self.purse.closed = self.state == State.FINISHED

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
        """Refused: there is one row for all."""
        self.require(State.OPEN)
        raise Refused("Training_OtherMetering", metering=self.terms.metering)

    def settle(self, now: int) -> None:
        """Refused: what is sealed is settled."""
        self.require(State.SETTLING)

    def at_target(self, measured: Measured) -> bool:
        if self.terms.stopping == LOSS:
            return measured.loss_after <= self.terms.target_loss
        if self.terms.stopping == LOWEST:
            return measured.metric <= self.terms.target_metric
        return measured.metric >= self.terms.target_metric

    def begin(self, loss_e9: int) -> None:
        self.initial_loss = self.best_loss = initial_loss_e9(loss_e9, self.terms.loss_ceiling)

    def _measure(self, measured: Measured) -> None:
        watched = self.terms.stopping
        self.last_loss, self.last_metric = measured.loss_after, measured.metric
        if not self.round:
            self.begin(measured.loss_after)
            self.purse.open(Pool, self.initial_loss)
            self.best_metric = measured.metric if watched != LOSS else 0
            return
        self.idle += 1
        if not measured.row:
            return
        self.paid += 1
        better = measured.loss_after < self.best_loss
        self.best_loss = min(self.best_loss, measured.loss_after)
        if watched != LOSS:
            choose = min if watched == LOWEST else max
            best = choose(self.best_metric, measured.metric)
            better, self.best_metric = best != self.best_metric, best
        if better:
            self.idle = 0

    def proceed(
        self,
        now: int,
        who: Membership,
        stakes: Stakes,
        signed: set[int],
        at_target: bool,
        rejects: tuple[tuple[int, int], ...],
    ) -> None:
        """Judges the round, then opens the next, or ends the run."""
        if rejects and self.round and 3 * len(signed) > 2 * len(self.active):
            self._strike(now, who, rejects)
        patience = self.terms.patience
        endings = (
            (at_target, Ending.TARGET_REACHED),
            (self.round == self.terms.max_rounds, Ending.ROUNDS_DONE),
            (bool(patience) and self.idle >= patience, Ending.PATIENCE),
            (who.over(now), Ending.AGREEMENT_OVER),
        )
        for over, why in endings:
            if over:
                self.end(now, why, waits=self.terms.metering == LOCAL)
                return
        self.round += 1
        self.open(now, who, stakes, set())

    def end(self, now: int, why: Ending, waits: bool) -> None:
        self.state = State.SETTLING if waits else State.FINISHED
        self.opened_at, self.ending = now, why

    @property
    def waits(self) -> bool:
        """Whether a sealed round is not settled yet."""
        return False

    def reopen(self, now: int, who: Membership, stakes: Stakes) -> None:
        self.require(State.OPEN)
        if who.over(now):
            raise Refused("Training_NotInForce")
        until = self.opened_at + self.terms.stall_time
        if now < until and len(self.active) >= self.quorum:
            raise Refused("Training_NotStalled", until=until)
        self.open(now, who, stakes, self.active)

    def close(self, now: int, who: Membership) -> None:
        self.require(State.OPEN)
        if not who.over(now):
            raise Refused("Training_StillInForce", not_after=who.signed.not_after)
        self.round = max(0, self.round - 1)
        self.end(now, Ending.AGREEMENT_OVER, self.waits)
        self.purse.closed = self.state == State.FINISHED

    def pardon(self, now: int, who: Membership, party: int, votes: Votes) -> None:
        if party not in self.quarantined:
            raise Refused("Training_NotQuarantined", party=party)
        who.check_votes(now, votes)
        self.quarantined.remove(party)
        self.conduct[party] = Conduct()
        self.pardons += 1

    def _strike(self, now: int, who: Membership, rejects: tuple[tuple[int, int], ...]) -> None:
        if not self.terms.strikes:
            return
        blamed = tuple(each for each, reason in rejects if reason != UNAVAILABLE)
        who.check_members(blamed, self.version)
        for party in {who.nodes[each].party for each in blamed} & self.active:
            conduct = self.conduct.setdefault(party, Conduct())
            conduct.struck_in = [self.round, *conduct.struck_in][:6]
            of_late = conduct.struck_in[: self.terms.strikes]
            within = of_late[0] - of_late[-1] < self.terms.strike_rounds
            if len(of_late) == self.terms.strikes and within:
                self.conduct[party] = Conduct(until=now + self.terms.quarantine_time)
                self.quarantined.add(party)
