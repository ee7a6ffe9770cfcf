"""One session by the book that reaches every action, so that none goes untried by chance."""

from __future__ import annotations

from collections import Counter

from contracts.council import Action
from metering.split.rows import equal_row
from tests.chain.machine.runs import Measured, Seal
from tests.chain.machine.theater import STAKE_WEI, Theater

ALL = (0, 1, 2, 3)
ACTIONS = frozenset(
    [
        "enroll",
        "retire",
        "leave",
        "suspend",
        "resume",
        "terminate",
        "remove",
        "suspect",
        "alive",
        "leave out",
        "deposit",
        "unlock",
        "withdraw",
        "collect",
        "slash",
        "create run",
        "fund",
        "seal",
        "seal local",
        "add rows",
        "settle",
        "reopen",
        "close",
        "pardon",
        "refund",
        "pay",
        "buy",
        "claim rewards",
        "claim royalties",
        "delegate rewards",
        "delegate royalties",
        "claim rewards for",
        "claim royalties for",
        "wait",
    ]
)


async def tour(theater: Theater, reached: Counter[str]) -> None:
    """Plays a run with one row a round, then one with rows of their own."""
    await _common(theater, reached)
    await _local(theater, reached)


async def _common(theater: Theater, reached: Counter[str]) -> None:
    acts = await theater.stage("common")
    acts.reached = reached
    (run_id,) = acts.world.runs
    await acts.enroll(0, "node-2", 20)
    await acts.retire(len(acts.world.who.nodes) - 1)
    await acts.suspect(1, 0)
    await acts.alive(1, by_wallet=False)
    await acts.deposit(0, STAKE_WEI)
    await acts.unlock(0, STAKE_WEI)
    await acts.wait(90_000)
    await acts.withdraw(0)
    await acts.suspect(1, 0)
    await acts.wait(1_000)
    await acts.leave_out(1)
    await acts.alive(1, by_wallet=True)
    await acts.reopen(run_id)
    for round_, loss_e9 in enumerate((650_000_000, 500_000_000, 400_000_000)):
        measured = Measured(0, loss_e9, 0, equal_row(ALL) if round_ else ())
        await acts.seal(run_id, Seal(round_, True, measured, ((3, 4),) if round_ else (), ALL))
    await acts.pardon(run_id, 3, (0, 1, 2))
    await acts.slash(run_id, 2, 9, same=False)
    await acts.collect(acts.poster.address)
    await acts.decide(Action.SUSPEND, 0, ALL)
    await acts.decide(Action.RESUME, 0, ALL)
    await acts.create_run(0, "second", 1)
    await acts.leave(3)
    await acts.decide(Action.REMOVE, 2, (0, 1))
    await acts.decide(Action.TERMINATE, 0, (0, 1))
    await acts.close(run_id)
    await acts.refund(run_id)
    await acts.buy(run_id, 77)
    await acts.pay(run_id, 1_000_003)
    runs = tuple(acts.world.runs)
    for royalties in (False, True):
        await acts.claim(royalties, 0, runs)
        await acts.delegate(royalties, 3, 0)
        await acts.claim_for(royalties, 3, runs, 0)


async def _local(theater: Theater, reached: Counter[str]) -> None:
    acts = await theater.stage("local")
    acts.reached = reached
    (run_id,) = acts.world.runs
    await acts.fund(run_id, 7)
    blank = tuple((party, 0) for party in ALL)
    for round_, loss_e9 in enumerate((650_000_000, 500_000_000, 400_000_000)):
        row = Measured(650_000_000, loss_e9, 0, blank if round_ else ())
        await acts.seal_local(run_id, round_, dict.fromkeys((0, 1, 2), row), {})
        if round_ == 1:
            await acts.add_rows(run_id, {3: row})
    await acts.settle(run_id)  # a row is missing: not yet
    await acts.wait(700)
    await acts.settle(run_id)
    await acts.claim(False, 3, (run_id,))
