"""What a step led to, told from the model: the turns that random play has to take."""

from __future__ import annotations

from collections.abc import Iterator

from tests.chain.machine.landmarks import membership, runs, tasks
from tests.chain.machine.model import World

MARKS = membership.MARKS | runs.MARKS | tasks.MARKS


def landmarks(label: str, before: World, after: World) -> Iterator[str]:
    """What the step of that label has changed, as far as it is one of `MARKS`."""
    yield from membership.of_membership(label, before, after)
    yield from runs.of_runs(label, before, after)
    yield from tasks.of_tasks(label, before, after)
