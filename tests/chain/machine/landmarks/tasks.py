"""Turns that tasks and assignments take."""

from __future__ import annotations

from collections.abc import Iterator

from contracts.taskrunner import Mode, State
from tests.chain.machine.errands import Errand
from tests.chain.machine.model import World

MARKS = frozenset(
    [
        *(f"assigned to {mode.name.lower()}" for mode in Mode),
        *(f"completed by {mode.name.lower()}" for mode in Mode),
        *(f"failed by {mode.name.lower()}" for mode in Mode),
        "completed although a peer failed",
        "a task was done again",
        "what another task made was needed, and there",
        "one target more",
        "more time for one target more",
        "ended by time",
        "ended by its party",
        "a report after the end",
        "who left failed it",
        "an agent was taken off whose node is gone",
        "a task was deleted whose author is gone",
        "an agent came too late for an assignment to all",
    ]
)


def of_tasks(label: str, before: World, after: World) -> Iterator[str]:
    if label == "delete of a task":
        gone = before.board.tasks.keys() - after.board.tasks.keys()
        if any(before.board.tasks[name].author in after.who.out for name in gone):
            yield "a task was deleted whose author is gone"
    if label == "take off agent":
        yield "an agent was taken off whose node is gone"
    for name, runner in after.board.runners.items():
        known = before.board.runners.get(name)
        if known is None or runner.errand is None:
            continue
        if known.errand is None or known.errand.number < runner.errand.number:
            yield from _of_beginning(runner.errand, after)
            continue
        yield from _of_errand(label, known.errand, runner.errand, before, after)
        if label == "enroll agent" and len(runner.agents) > len(known.agents):
            errand = runner.errand
            if errand.order.mode == Mode.ALL and errand.state == State.RUNNING:
                yield "an agent came too late for an assignment to all"


def _of_beginning(errand: Errand, world: World) -> Iterator[str]:
    yield f"assigned to {errand.order.mode.name.lower()}"
    task = world.board.tasks[errand.order.task]
    if task.done_at:
        yield "a task was done again"
    if task.prerequisite:
        yield "what another task made was needed, and there"


def _of_errand(
    label: str, was: Errand, errand: Errand, before: World, after: World
) -> Iterator[str]:
    how = errand.order.mode.name.lower()
    said = errand.reports != was.reports
    seen = was.seen(before.now)[0], errand.seen(after.now)[0]
    if seen[0] == State.RUNNING and seen[1] == State.COMPLETE:
        yield f"completed by {how}"
        if any(each.status.name == "FAILED" for each in errand.reports.values()):
            yield "completed although a peer failed"
    if seen == (State.RUNNING, State.ERROR):
        yield f"failed by {how}" if said and errand.ended_at == after.now else "ended by time"
    if seen == (State.RUNNING, State.IDLE):
        yield "ended by its party"
    if said and seen[0] in (State.COMPLETE, State.ERROR):
        yield "a report after the end"
    if said and label in ("withdraw agent", "take off agent"):
        yield "who left failed it"
    if errand.peers > was.peers:
        yield "one target more"
        if errand.ends_at > was.ends_at:
            yield "more time for one target more"
