"""The model of who takes part: parties, nodes, snapshots as sets, votes, absence."""

from __future__ import annotations

from dataclasses import dataclass, field

from contracts import messages as m
from contracts.consortium import State
from contracts.council import Action
from tests.chain.machine.refusal import Refused

LEAST_PARTIES = 2


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

    signed: m.Agreement
    stage: State = State.ACTIVE  # or SUSPENDED, TERMINATED; time does the rest
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
        self.cases = {party: Case() for party in self.parties}

    @property
    def parties(self) -> range:
        return range(len(self.signed.parties))

    @property
    def members(self) -> list[int]:
        return [party for party in self.parties if party not in self.out]

    def state(self, now: int) -> State:
        if self.stage != State.TERMINATED and now > self.signed.not_after:
            return State.EXPIRED
        return self.stage

    def in_force(self, now: int) -> bool:
        return self.state(now) == State.ACTIVE

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

    def leave(self, now: int, party: int) -> None:
        self._require(now, State.ACTIVE, State.SUSPENDED)
        if party in self.out:
            raise Refused("Consortium_PartyOut", party=party)
        self.changes += 1
        self.out[party] = self.changes
        if len(self.members) < LEAST_PARTIES:
            self._enter(State.TERMINATED)

    def check_votes(self, voters: tuple[int, ...], concerned: int | None = None) -> None:
        voting = [party for party in self.members if party != concerned]
        wanted = self.signed.bylaws.votes
        needed = max(1, min(wanted, len(voting)) if wanted else 2 * len(voting) // 3 + 1)
        if len(voters) < needed:
            raise Refused("Council_TooFewVotes", votes=len(voters), needed=needed)
        for voter in voters:
            if voter not in voting:
                raise Refused("Council_NoVote", party=voter)

    def decide(self, now: int, action: Action, party: int, voters: tuple[int, ...]) -> None:
        removing = action == Action.REMOVE
        self.check_votes(voters, party if removing else None)
        self.motions += 1
        if removing:
            self.leave(now, party)
        elif action == Action.SUSPEND:
            self._require(now, State.ACTIVE)
            self._enter(State.SUSPENDED)
        elif action == Action.RESUME:
            self._require(now, State.SUSPENDED)
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

    def _end(self, case: Case, deposit_wei: int) -> None:
        case.open = False
        self.deposits_wei -= deposit_wei
        self.owed_coins_wei += deposit_wei

    def _enter(self, stage: State) -> None:
        self.stage = stage
        self.changes += 1

    def _require(self, now: int, *states: State) -> None:
        if (state := self.state(now)) not in states:
            raise Refused("Consortium_WrongState", state=state)
