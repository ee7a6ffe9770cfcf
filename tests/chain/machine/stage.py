"""The real contracts beside the model: each step is done to both, and then they are compared."""

from __future__ import annotations

import asyncio
import hashlib
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

from contracts import messages as m
from contracts.deployment import Contracts
from contracts.errors import ContractReverted
from contracts.keys import Signer
from contracts.parties import party_set
from tests.chain.machine.landmarks import landmarks
from tests.chain.machine.local import LocalRun
from tests.chain.machine.model import World
from tests.chain.machine.refusal import Refused
from tests.chain.machine.runs import Conduct, Run

STEP_S = 1  # between two blocks, unless time passes
ALWAYS = 2**40 - 1  # a deadline: the machine lets years pass

Check = tuple[str, Awaitable[Any], Any]  # what, as it is on chain, as it has to be


def key(role: str, number: int = 0) -> Signer:
    """The key of a role: always the same, so that a failure comes back."""
    return Signer(hashlib.sha256(f"{role} {number}".encode()).digest())


@dataclass(slots=True)
class Stage:
    """One world twice.

    Attributes:
        contracts: of a chain that nobody else uses; its time is set block by block.
        poster: posts everything; what it may do follows from what others signed.
        world: the model.
        others_wei: what Rewards and Stakes hold for other agreements.
        sealed: run to what was sealed last and signed by all alike, of local runs.
        reached: how often each action succeeded, and was refused by which error.
    """

    contracts: Contracts
    poster: Signer
    world: World
    others_wei: dict[str, int]
    sealed: dict[bytes, m.Attestation] = field(default_factory=dict)
    reached: Counter[str] = field(default_factory=Counter)

    async def step(
        self, label: str, model: Callable[[World], None], post: Callable[[], Awaitable[object]]
    ) -> bool:
        """Does something to both; returns whether they did it, as both have to agree."""
        trial = self.world.copy()
        trial.now += STEP_S
        refused: Refused | None = None
        try:
            model(trial)
        except Refused as expected:
            refused = expected
        await self.contracts.chain.request("evm_setNextBlockTimestamp", trial.now)
        refusal = await _refusal(post())
        if refusal is not None:
            assert refused, f"{label} was refused by {refusal.name} {refusal.values}: {refusal}"
            said = {name: refusal.values.get(name) for name in refused.values}
            assert (refusal.name, said) == (refused.name, refused.values), label
            self.reached[f"{label}: {refusal.name}"] += 1
            return False
        assert refused is None, f"{label} should be refused: {refused}"
        before, self.world = self.world, trial
        self.reached[label] += 1
        self.reached.update(landmarks(label, before, trial))
        await self.compare()
        return True

    async def wait(self, seconds: int) -> None:
        """Lets time pass, which is a step of its own: states follow from the time."""
        before, self.world = self.world, self.world.copy()
        self.world.now += seconds
        await self.contracts.chain.request("evm_setNextBlockTimestamp", self.world.now)
        await self.contracts.chain.request("evm_mine")
        self.reached["wait"] += 1
        self.reached.update(landmarks("wait", before, self.world))
        await self.compare()

    async def compare(self) -> None:
        """Asks the contracts for every number and state that the model knows."""
        checks = [*self._membership(), *self._stakes(), *self._balances()]
        for run_id, run in self.world.runs.items():
            run.purse.check()
            checks += [*self._run(run_id, run), *self._money(run_id, run)]
        found = await asyncio.gather(*(each for _, each, _ in checks))
        wrong = [
            f"{what}: {got} on chain, {want} expected"
            for (what, _, want), got in zip(checks, found, strict=True)
            if got != want
        ]
        assert not wrong, "\n".join(wrong)

    def _membership(self) -> list[Check]:
        world, who = self.world, self.world.who
        consortium, presence = self.contracts.consortium, self.contracts.presence

        async def snapshot() -> tuple[int, int]:
            latest = await consortium.latest_snapshot(world.id)
            return latest.version, latest.active

        async def suspicion(party: int) -> tuple[int, int, bool]:
            case = await presence.suspicion(world.id, party)
            return case.number, case.answer_by, case.open

        checks: list[Check] = [
            ("agreement", consortium.state(world.id), who.state(world.now)),
            ("snapshot", snapshot(), (who.changes, party_set(who.active(world.now)))),
            ("out", consortium.out(world.id), party_set(who.out)),
            ("motions", self.contracts.council.nonce(world.id), who.motions),
            ("away", presence.away(world.id), party_set(who.away)),
            ("coins owed", presence.owed(self.poster.address), who.owed_coins_wei),
        ]
        for party, case in who.cases.items():
            expected = (case.number, case.answer_by, case.open)
            checks.append((f"suspicion of {party}", suspicion(party), expected))
        return checks

    def _stakes(self) -> list[Check]:
        world, stakes = self.world, self.contracts.stakes

        async def stake(party: int) -> tuple[int, int, int, int]:
            held = await stakes.stake(world.id, party)
            return held.locked, held.leaving, held.leaves_at, held.nonce

        checks: list[Check] = [
            ("staked", stakes.staked(world.id), party_set(world.stakes.staked)),
        ]
        for party, held in world.stakes.stakes.items():
            expected = (held.locked, held.leaving, held.leaves_at, held.nonce)
            checks.append((f"stake of {party}", stake(party), expected))
        for address in (self.poster.address, world.signed.bylaws.penalty_recipient):
            owed_wei = world.stakes.owed_wei[address]
            checks.append((f"owed to {address}", stakes.owed(address), owed_wei))
        return checks

    def _balances(self) -> list[Check]:
        world, token = self.world, self.contracts.token
        purses = [run.purse for run in world.runs.values()]
        held_wei = {
            self.contracts.rewards.address: sum(each.held_wei for each in purses),
            self.contracts.stakes.address: world.stakes.held_wei,
            self.contracts.royalties.address: sum(
                each.received_wei - each.royalties_wei.total() for each in purses
            ),
        }
        for address, others_wei in self.others_wei.items():
            held_wei[address] += others_wei
        return [
            (f"balance of {address}", token.balance_of(address), wei)
            for address, wei in (held_wei | world.balances_wei).items()
            if address != self.poster.address  # pays for everything
        ]

    def _run(self, run_id: bytes, run: Run) -> list[Check]:
        training, clerk = self.contracts.training, self.contracts.clerk

        async def state() -> tuple[object, ...]:
            on = await training.run(run_id)
            ended = on.ending if on.state > 1 else 0
            return (
                on.state, on.generation, on.round, on.snapshot_version, on.active, on.quarantined,
                on.opened_at, ended, on.initial_loss, on.best_loss, on.last_loss, on.last_metric,
                on.best_metric, on.paid_rounds, on.idle_rounds,
            )  # fmt: skip

        expected = (
            run.state, run.generation, run.round, run.version, party_set(run.active),
            party_set(run.quarantined), run.opened_at, run.ending, run.initial_loss,
            run.best_loss, run.last_loss, run.last_metric, run.best_metric, run.paid, run.idle,
        )  # fmt: skip
        checks: list[Check] = [
            ("run", state(), expected),
            ("quorum", training.quorum(run_id), run.quorum),
            ("pardons", clerk.pardon_nonce(run_id), run.pardons),
        ]
        for party in run.conduct.keys() if run.terms.strikes else ():
            conduct: Conduct = run.conduct[party]
            checks.append(
                (
                    f"conduct of {party}",
                    clerk.conduct(run_id, party),
                    (tuple(conduct.struck_in), conduct.until),
                )
            )
        if isinstance(run, LocalRun):
            checks.append(self._book(run_id, run))
        return checks

    def _book(self, run_id: bytes, run: LocalRun) -> Check:
        async def book() -> tuple[object, ...]:
            on = await self.contracts.clerk.book(run_id)
            if not any(on.sealed_hash):
                return False, on.sum, on.best
            return True, on.sum, on.best, on.round, on.roster, on.heard

        sums = (run.book is not None, run.sum_e9, run.best_e9)
        if run.book is None:
            return "book", book(), sums
        waiting = (run.book.round, party_set(run.book.roster), party_set(run.book.rows))
        return "book", book(), (*sums, *waiting)

    def _money(self, run_id: bytes, run: Run) -> list[Check]:
        rewards, royalties, purse = self.contracts.rewards, self.contracts.royalties, run.purse

        async def pool() -> tuple[object, ...]:
            on = await rewards.pool(run_id)
            return on.funded, on.credited, on.closed, on.claimed, on.refunded

        async def account(party: int) -> tuple[int, int]:
            on = await rewards.account(run_id, party)
            return on.accrued, on.claimed

        async def sale() -> tuple[int, ...]:
            on = await royalties.sale(run_id)
            return on.received, on.claimed, on.licenses

        expected = (
            purse.funded_wei, purse.credited_wei, purse.closed, purse.claimed_wei.total(),
            purse.refunded_wei,
        )  # fmt: skip
        sold = (purse.received_wei, purse.royalties_wei.total(), purse.licenses)
        checks: list[Check] = [("pool", pool(), expected), ("sale", sale(), sold)]
        for party in self.world.who.parties:
            paid = (purse.accrued_wei.get(party, 0), purse.claimed_wei[party])
            checks.append((f"account of {party}", account(party), paid))
            if purse.closed:
                due = (purse.entitled_wei(party), purse.royalties_wei[party])
                of_party = royalties.account(run_id, party)
                checks.append((f"royalties of {party}", of_party, due))
        return checks


async def _refusal(posted: Awaitable[object]) -> ContractReverted | None:
    try:
        await posted
    except ContractReverted as error:
        return error
    return None
