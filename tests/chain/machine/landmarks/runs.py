"""Turns that runs and their money take."""

from __future__ import annotations

from collections.abc import Iterator

from contracts.training import Ending, State
from tests.chain.machine.local import NO_DATA, LocalRun
from tests.chain.machine.model import World
from tests.chain.machine.runs import Run

MARKS = frozenset(
    [
        *(f"seal ends it: {each.name}" for each in Ending),
        *(f"rows end it: {each.name}" for each in Ending),
        "close ends it: AGREEMENT_OVER",
        "a round waits while the agreement ends",
        "the start meets the target: unpaid",
        "a second generation",
        "paid",
        "a void round",
        "a better value after a worse one",
        "many rounds without a better value",
        "funded while it runs",
        "quarantined",
        "pardoned",
        "quarantine is over",
        "quarantine is waived: too few would be left",
        "away: not counted",
        "away: counted on in a reopened round",
        "without stake: not counted",
        "left: not counted",
        "joined: counted",
        "joined by an amendment: counted",
        "joined by an amendment: not counted in earlier runs",
        "paid by the terms of an earlier version",
        "nobody is counted",
        "settled with a row missing",
        "settled with all rows",
        "a roster without somebody who is counted",
        "nothing to evaluate on",
        "a loss after a gain, by rows",
        "several runs paid at once",
        "royalties where nothing was credited",
    ]
)


def of_runs(label: str, before: World, after: World) -> Iterator[str]:
    for run_id, run in after.runs.items():
        earlier = before.runs.get(run_id)
        if earlier is None:
            if run.generation > 1:
                yield "a second generation"
            continue
        yield from _of_run(label, earlier, run, after)
        yield from _of_opening(earlier, run, after)
        if isinstance(run, LocalRun) and isinstance(earlier, LocalRun):
            yield from _of_rows(label, earlier, run)
    claims = [
        run.purse.claimed_wei != before.runs[run_id].purse.claimed_wei
        for run_id, run in after.runs.items()
        if run_id in before.runs
    ]
    if sum(claims) > 1:
        yield "several runs paid at once"


def _of_run(label: str, before: Run, after: Run, world: World) -> Iterator[str]:
    purse = after.purse
    if before.state == State.OPEN != after.state:
        by_rows = label.startswith("seal local")
        yield f"{'rows end' if by_rows else f'{label} ends'} it: {after.ending.name}"
        if label == "close" and after.state == State.SETTLING:
            yield "a round waits while the agreement ends"
    if label == "fund" and purse.pool and purse.funded_wei > before.purse.funded_wei:
        yield "funded while it runs"
    if purse.pool and not before.purse.pool and purse.pool.ended_unpaid:
        yield "the start meets the target: unpaid"
    if purse.credited_wei > before.purse.credited_wei:
        yield "paid"
        if after.terms != world.signed.terms:
            yield "paid by the terms of an earlier version"
    if purse.received_wei > before.purse.received_wei and not purse.credited_wei:
        yield "royalties where nothing was credited"
    if label == "seal" and before.round and after.idle > before.idle and after.paid == before.paid:
        yield "a void round"
    if after.idle >= 2 and after.idle > before.idle:
        yield "many rounds without a better value"
    if before.idle and not after.idle:
        yield "a better value after a worse one"
    if after.quarantined - before.quarantined:
        yield "quarantined"
    if before.quarantined - after.quarantined:
        yield "pardoned" if label == "pardon" else "quarantine is over"


def _of_opening(before: Run, after: Run, world: World) -> Iterator[str]:
    """Who is counted in a round, and who is not, and why."""
    if after.opened_at == before.opened_at or after.state != State.OPEN:
        return
    gone = before.active - after.active
    if gone & world.who.away:
        yield "away: not counted"
    if after.active & world.who.away:
        yield "away: counted on in a reopened round"
    if after.staked and (gone & world.who.active(world.now)) - world.stakes.staked:
        yield "without stake: not counted"
    if gone & world.who.out.keys():
        yield "left: not counted"
    if after.active - before.active:
        yield "joined: counted"
    if max(after.active, default=0) >= len(world.who.versions[0].parties):
        yield "joined by an amendment: counted"
    if any(party >= after.parties for party in world.who.active(world.now)):
        yield "joined by an amendment: not counted in earlier runs"
    if after.active & after.quarantined:
        yield "quarantine is waived: too few would be left"
    if not after.active:
        yield "nobody is counted"


def _of_rows(label: str, before: LocalRun, after: LocalRun) -> Iterator[str]:
    settled = label == "settle" or label.startswith("seal local")
    if settled and before.book and before.book.round and after.book is not before.book:
        missing = set(before.book.roster) - before.book.rows.keys()
        yield "settled with a row missing" if missing else "settled with all rows"
    if after.book and after.book.round and after.book.roster != tuple(sorted(before.active)):
        yield "a roster without somebody who is counted"
    if after.book and any(row.loss_after == NO_DATA for row in after.book.rows.values()):
        yield "nothing to evaluate on"
    if after.sum_e9 < before.sum_e9:
        yield "a loss after a gain, by rows"
