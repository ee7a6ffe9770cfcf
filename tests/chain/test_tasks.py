"""A task from its creation to its outcome, on the real contract."""

from __future__ import annotations

import pytest

from contracts import events
from contracts import messages as m
from contracts.deployment import Contracts
from contracts.errors import ContractReverted
from contracts.keys import Signer, new_key
from contracts.taskrunner import Change, Kind, Mode, State, Status
from tests.chain.people import Alliance, found_alliance

BODY = b"\x42" * 32


@pytest.fixture
async def alliance(contracts: Contracts, treasury: Signer) -> Alliance:
    return await found_alliance(contracts, treasury, new_key().address)


async def test_a_task_is_created_assigned_and_completed(alliance: Alliance) -> None:
    board, relayer = alliance.contracts.taskrunner, alliance.relayer
    agreement, deadline, author = alliance.id, alliance.deadline(), alliance.wallets[0]

    request = m.TaskRequest(
        agreement, 0, Kind.RUN_SWARM.value, "train", "", "model", BODY, 0, deadline
    )
    await board.create_task(request, m.sign(board.domain, request, author), signer=relayer)
    task = await board.id_of(agreement, "train")
    assert await board.tasks(agreement) == (task,)
    assert await board.named(agreement, "model") == task

    wanted = m.TaskrunnerRequest(agreement, 0, "gpus", 1, deadline)
    await board.create_taskrunner(wanted, m.sign(board.domain, wanted, author), signer=relayer)
    runner = await board.id_of(agreement, "gpus")
    for registration in (0, 1):
        await board.enroll(runner, registration, signer=alliance.nodes[registration])

    ends_at = alliance.now + 1800
    assignment = m.Assignment(
        agreement, 0, "gpus", "train", BODY, Mode.ALL.value, 0, 0, 0, ends_at, 2, deadline
    )

    async def assign(asked: m.Assignment) -> None:
        await board.assign(asked, m.sign(board.domain, asked, author), signer=relayer)

    with pytest.raises(ContractReverted, match="is not final"):
        await assign(assignment)
    change = m.TaskChange(agreement, 0, "train", Change.FINALIZE.value, BODY, 2, deadline)
    await board.change_task(change, m.sign(board.domain, change, author), signer=relayer)
    assert (await board.task(task)).is_final
    await assign(
        m.Assignment(
            agreement, 0, "gpus", "train", BODY, Mode.ALL.value, 0, 0, 0, ends_at, 3, deadline
        )
    )
    assert (await board.taskrunner(runner)).progress.state == State.RUNNING

    said = b"\x07" * 32
    for registration in (0, 1):
        receipt = await board.report(
            runner, 1, registration, Status.COMPLETED, said, signer=alliance.nodes[registration]
        )
    (ended,) = (each for each in receipt.events if isinstance(each, events.TaskEnded))
    assert ended.state == State.COMPLETE
    assert (await board.task(task)).done_at >= alliance.now
    agent = await board.agent(runner, 1)
    assert (agent.status, agent.description) == (Status.COMPLETED, said)
    assert [each.registration for each in await board.agents(runner)] == [0, 1]

    reset = m.ResetRequest(agreement, 0, "gpus", 1, 4, deadline)
    await board.reset(reset, m.sign(board.domain, reset, author), signer=relayer)
    assert (await board.taskrunner(runner)).progress.state == State.IDLE
    assert await board.taskrunners(agreement) == (runner,)
