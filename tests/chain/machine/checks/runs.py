"""Runs and their rounds."""

from __future__ import annotations

from contracts.deployment import Contracts
from contracts.parties import party_set
from tests.chain.machine.checks import Check
from tests.chain.machine.local import LocalRun
from tests.chain.machine.runs import Run


def of_run(contracts: Contracts, run_id: bytes, run: Run) -> list[Check]:
    training, clerk = contracts.training, contracts.clerk

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
        ("terms of the run", training.terms(run_id), run.terms),
        ("quorum", training.quorum(run_id), run.quorum),
        ("pardons", clerk.pardon_nonce(run_id), run.pardons),
    ]
    for party in run.conduct.keys() if run.terms.strikes else ():
        conduct = run.conduct[party]
        told = (tuple(conduct.struck_in), conduct.until)
        checks.append((f"conduct of {party}", clerk.conduct(run_id, party), told))
    if isinstance(run, LocalRun):
        checks.append(_of_book(contracts, run_id, run))
    return checks


def _of_book(contracts: Contracts, run_id: bytes, run: LocalRun) -> Check:
    async def book() -> tuple[object, ...]:
        on = await contracts.clerk.book(run_id)
        if not any(on.sealed_hash):
            return False, on.sum, on.best
        return True, on.sum, on.best, on.round, on.roster, on.heard

    sums = (run.book is not None, run.sum_e9, run.best_e9)
    if run.book is None:
        return "book", book(), sums
    waiting = (run.book.round, party_set(run.book.roster), party_set(run.book.rows))
    return "book", book(), (*sums, *waiting)
