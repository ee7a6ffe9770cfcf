"""The model of who takes part: parties, nodes, snapshots as sets, votes, absence."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from contracts import messages as m
from contracts.consortium import State
from contracts.council import Action
from tests.chain.machine.refusal import Refused
from tests.chain.machine.wallets import Wallets

LEAST_PARTIES = 2

Votes = Mapping[int, str]  # party, ascending, to the wallet that signs for it


@dataclass(slots=True)
class Node:
    """One registration: in the snapshots from `since` until before `until` (0: it stays)."""

    party: int
    name: str
    key: int
    since: int
    until: int = 0


@dataclass(slots=True)
class Case:
    """The latest suspicion of a party."""

    number: int = 0
    answer_by: int = 0
    open: bool = False


@dataclass(slots=True)
class Membership:
    """Consortium, Council and Presence, as far as one agreement knows them."""

    versions: list[m.Agreement]  # the last one is in force
    wallets: Wallets
    stall_time: int  # [s] the longest of all versions: earlier runs keep theirs
    stage: State = State.ACTIVE  # or SUSPENDED, TERMINATED; time does the rest
    amending: int = 0  # the version that a party has signed without the others
    amending_until: int = 0  # [unix s]
    changes: int = 0
    nodes: list[Node] = field(default_factory=list)
    out: dict[int, int] = field(default_factory=dict)  # party to its first snapshot without it
    joined: dict[int, int] = field(default_factory=dict)  # party to time [unix s]
    motions: int = 0
    away: set[int] = field(default_factory=set)
    cases: dict[int, Case] = field(default_factory=dict)
    owed_coins_wei: int = 0
    deposits_wei: int = 0

    def __post_init__(self) -> None:
        self.grow()

    def grow(self) -> None:
        """Makes room for parties that are new."""
        for party in self.parties:
            self.cases.setdefault(party, Case())

    @property
    def signed(self) -> m.Agreement:
        return self.versions[-1]

    @property
    def unlock_delay_s(self) -> int:
        return self.stall_time + self.signed.bylaws.dispute_time

    @property
    def parties(self) -> range:
        return range(len(self.signed.parties))

    @property
    def members(self) -> list[int]:
        return [party for party in self.parties if party not in self.out]

    def state(self, now: int) -> State:
        if self.stage != State.TERMINATED and now > self.signed.not_after:
            return State.EXPIRED
        amends = self.amending > self.signed.version and now <= self.amending_until
        return State.AMENDING if self.stage == State.ACTIVE and amends else self.stage

    def in_force(self, now: int) -> bool:
        return self.state(now) in (State.ACTIVE, State.AMENDING)

    def over(self, now: int) -> bool:
        return self.state(now) in (State.TERMINATED, State.EXPIRED)

    def active(self, now: int) -> set[int]:
        """Parties that the latest snapshot counts."""
        if not self.in_force(now):
            return set()
        return {node.party for node in self.nodes if not node.until} - self.out.keys()

    def belongs(self, registration: int, version: int) -> bool:
        node = self.nodes[registration]
        if not node.since <= version or (node.until and version >= node.until):
            return False
        return node.party not in self.out or version < self.out[node.party]

    def check_members(self, registrations: tuple[int, ...], version: int) -> None:
        for each in registrations:
            if not self.belongs(each, version):
                raise Refused("Consortium_NotAMember", registration=each, version=version)

    def nonce(self, party: int) -> int:
        return sum(node.party == party for node in self.nodes)

    def enroll(self, now: int, party: int, name: str, key: int) -> None:
        if party not in self.parties:
            raise Refused("Consortium_UnknownParty", party=party)
        if not self.in_force(now):
            raise Refused("Consortium_WrongState", state=self.state(now))
        if party in self.out:
            raise Refused("Consortium_PartyOut", party=party)
        if any(node.key == key for node in self.nodes):
            raise Refused("Consortium_KeyAlreadyUsed")
        present = [node for node in self.nodes if node.party == party and not node.until]
        replaced = [node for node in present if node.name == name]
        if not replaced and len(present) == self.signed.bylaws.max_nodes:
            raise Refused("Consortium_TooManyNodes", party=party, limit=len(present))
        self.changes += 1
        for node in replaced:
            node.until = self.changes
        self.nodes.append(Node(party, name, key, self.changes))
        self.joined.setdefault(party, now)

    def retire(self, registration: int) -> None:
        self.check_members((registration,), self.changes)
        self.changes += 1
        self.nodes[registration].until = self.changes

    def leave(self, now: int, party: int, by: str) -> None:
        self.wallets.check(now, party, by, "Consortium_NotTheParty")
        self._take_out(now, party)

    def _take_out(self, now: int, party: int) -> None:
        self._require(now, State.ACTIVE, State.SUSPENDED)
        if party in self.out:
            raise Refused("Consortium_PartyOut", party=party)
        self.changes += 1
        self.out[party] = self.changes
        if len(self.members) < LEAST_PARTIES:
            self._enter(State.TERMINATED)

    def check_votes(self, now: int, votes: Votes, concerned: int | None = None) -> None:
        voting = [party for party in self.members if party != concerned]
        wanted = self.signed.bylaws.votes
        needed = max(1, min(wanted, len(voting)) if wanted else 2 * len(voting) // 3 + 1)
        if len(votes) < needed:
            raise Refused("Council_TooFewVotes", votes=len(votes), needed=needed)
        for voter, by in votes.items():
            if voter not in voting:
                raise Refused("Council_NoVote", party=voter)
            self.wallets.check(now, voter, by, "Council_NotTheParty")

    def decide(self, now: int, action: Action, party: int, votes: Votes, wallet: str = "") -> None:
        concerning = action in (Action.REMOVE, Action.REPLACE_WALLET)
        self.check_votes(now, votes, party if concerning else None)
        self.motions += 1
        if action == Action.REPLACE_WALLET:
            self.wallets.replace(now, party, wallet, now + self.signed.bylaws.wallet_delay)
        elif action == Action.REMOVE:
            self._take_out(now, party)
        elif action == Action.SUSPEND:
            self._require(now, State.ACTIVE, State.AMENDING)
            self._enter(State.SUSPENDED)
        elif action == Action.RESUME:
            self._require(now, State.SUSPENDED, State.SUSPENDED)
            self._enter(State.ACTIVE)
        else:
            self._require(now, State.ACTIVE, State.SUSPENDED)
            self._enter(State.TERMINATED)

    def suspect(self, now: int, party: int, by: int, deposit_wei: int) -> None:
        case = self.cases[party]
        if case.open or now <= case.answer_by:
            raise Refused("Presence_TooSoon", until=case.answer_by)
        active = self.active(now)
        if party not in active or party in self.away:
            raise Refused("Presence_NotPresent", party=party)
        accuser = self.nodes[by].party
        if not self.belongs(by, self.changes):
            raise Refused("Presence_NotAMember", registration=by)
        if accuser == party:
            raise Refused("Presence_OfItself", party=party)
        self.deposits_wei += deposit_wei
        answer_by = now + self.signed.bylaws.answer_time
        self.cases[party] = Case(case.number + 1, answer_by, True)

    def alive(self, registration: int, by_wallet: bool, deposit_wei: int) -> None:
        if not by_wallet and not self.belongs(registration, self.changes):
            raise Refused("Presence_NotAMember", registration=registration)
        party = self.nodes[registration].party
        case = self.cases[party]
        if case.open:
            self._end(case, deposit_wei)
        elif party in self.away:
            self.away.remove(party)
        else:
            raise Refused("Presence_NothingToAnswer", party=party)

    def leave_out(self, now: int, party: int, deposit_wei: int) -> None:
        case = self.cases[party]
        if not case.open:
            raise Refused("Presence_NotSuspected", party=party)
        if now <= case.answer_by:
            raise Refused("Presence_NotYet", answer_by=case.answer_by)
        self.away.add(party)
        self._end(case, deposit_wei)

    def collect_coins(self, recipient: str) -> None:
        if not self.owed_coins_wei:
            raise Refused("Presence_NothingOwed", recipient=recipient)
        self.owed_coins_wei = 0

    def _end(self, case: Case, deposit_wei: int) -> None:
        case.open = False
        self.deposits_wei -= deposit_wei
        self.owed_coins_wei += deposit_wei

    def _enter(self, stage: State) -> None:
        self.stage = stage
        self.changes += 1

    def _require(self, now: int, first: State, last: State) -> None:
        if not first <= (state := self.state(now)) <= last:
            raise Refused("Consortium_WrongState", state=state)
