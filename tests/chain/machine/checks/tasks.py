"""Tasks, taskrunners, published versions."""

from __future__ import annotations

from contracts.deployment import Contracts
from contracts.registry import Version as PublishedVersion
from contracts.taskrunner import Agent, Progress, State, Status, Taskrunner
from contracts.taskrunner import Task as TaskOnChain
from tests.chain.machine.checks import Check
from tests.chain.machine.model import World
from tests.chain.machine.runners import Runner

NOTHING = bytes(32)


def of_tasks(contracts: Contracts, world: World, ids: dict[str, bytes]) -> list[Check]:
    """`ids`: by name, of everything that the model knows."""
    board, taskrunner, agreement = world.board, contracts.taskrunner, world.id

    async def listed() -> set[bytes]:
        return set(await taskrunner.tasks(agreement))

    checks: list[Check] = []
    if board.tasks or board.nonces:
        checks.append(("tasks", listed(), {ids[name] for name in board.tasks}))
    for name, task in board.tasks.items():
        told = TaskOnChain(
            agreement, task.body, task.author, task.kind, task.final, task.done_at, name,
            task.prerequisite, task.outcome,
        )  # fmt: skip
        checks += [
            (f"task {name}", taskrunner.task(ids[name]), told),
            (f"who makes {task.outcome}", taskrunner.named(agreement, task.outcome), ids[name]),
        ]
    for party, nonce in board.nonces.items():
        checks.append((f"nonce of {party}", taskrunner.nonce(agreement, party), nonce))
    for name, runner in board.runners.items():
        checks += _of_runner(taskrunner, ids, name, runner, world.now)
    return checks


def _of_runner(
    taskrunner: Taskrunner, ids: dict[str, bytes], name: str, runner: Runner, now: int
) -> list[Check]:
    errand = runner.errand

    async def state() -> tuple[object, ...]:
        on = await taskrunner.taskrunner(ids[name])
        return on.agents, on.task, on.assigned_at, on.ended_at, on.progress

    progress = Progress(0, State.IDLE, 0, 0, 0, 0, 0, 0, 0, 0, 0)
    told: tuple[object, ...] = (len(runner.enrolled), NOTHING, 0, 0, progress)
    if errand:
        now_, ended_at = errand.seen(now)
        counts = map(errand.count, (Status.ACTIVE, Status.COMPLETED, Status.FAILED))
        progress = Progress(
            errand.number, now_, errand.order.mode, errand.order.party, errand.peers,
            errand.places, errand.needed, *counts, errand.ends_at,
        )  # fmt: skip
        task = ids[errand.order.task]
        told = (len(runner.enrolled), task, errand.assigned_at, ended_at, progress)
    agents = tuple(_agent(runner, each) for each in runner.agents)
    return [
        (f"taskrunner {name}", state(), told),
        (f"agents of {name}", taskrunner.agents(ids[name]), agents),
    ]


def _agent(runner: Runner, registration: int) -> Agent:
    errand, enrolled = runner.errand, runner.agents[registration]
    peer = errand is not None and registration in errand.parts
    said = errand.reports.get(registration) if errand else None
    if said is None:
        return Agent(registration, enrolled, peer, Status.NONE, 0, NOTHING)
    return Agent(registration, enrolled, peer, said.status, said.at, said.description)


def of_registry(contracts: Contracts, world: World) -> list[Check]:
    registry, versions = contracts.registry, world.registry.versions

    async def version(index: int) -> tuple[object, ...]:
        return _told(await registry.version(index))

    async def latest() -> int:
        return (await registry.latest())[0]

    checks: list[Check] = [("versions", registry.count(), len(versions))]
    for index, each in enumerate(versions):
        told = (each.name, each.document, each.at, each.retired)
        checks.append((f"version {index}", version(index), told))
    if world.registry.latest >= 0:
        checks.append(("latest version", latest(), world.registry.latest))
    return checks


def _told(version: PublishedVersion) -> tuple[object, ...]:
    return version.name, version.document, version.published_at, version.retired
