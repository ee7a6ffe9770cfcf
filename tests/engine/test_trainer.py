"""Whatever a training process says, the agent lives on; and no process answers for another."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from node_agent.trainer import Trainer, TrainerGone

HELLO = {"op": "hello", "protocol": 1}


@pytest.fixture
def trained() -> list[tuple[int, float, int]]:
    """What the trainer told: round, seconds, samples."""
    return []


@pytest.fixture
async def trainer(tmp_path: Path, trained: list[tuple[int, float, int]]) -> AsyncIterator[Trainer]:
    served = Trainer(
        tmp_path / "s",
        welcome=lambda: {"do": "welcome"},
        admit=lambda message: None,
        status=lambda: {"state": "here"},
        answer_timeout_s=5,
        trained=lambda *told: trained.append(told),
    )
    await served.start()
    yield served
    await served.stop()


class Script:
    """A training process, line by line."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self.writer = reader, writer

    def say(self, *messages: Any) -> None:
        for message in messages:
            self.writer.write(json.dumps(message).encode() + b"\n")

    async def hear(self) -> dict[str, Any]:
        async with asyncio.timeout(5):
            line = await self._reader.readline()
        return json.loads(line) if line else {}


async def connect(trainer: Trainer, *messages: Any) -> Script:
    script = Script(*await asyncio.open_unix_connection(trainer._path))
    script.say(*messages)
    return script


async def test_of_two_processes_that_come_at_once_one_is_served(trainer: Trainer) -> None:
    scripts = [await connect(trainer, HELLO, {"op": "begin"}) for _ in range(2)]
    answers = {(await script.hear())["do"]: script for script in scripts}
    assert answers.keys() == {"welcome", "refuse"}
    assert (await trainer.waiting()).op == "begin"
    assert (await answers["refuse"].hear()) == {}
    assert trainer.connected
    released = asyncio.ensure_future(trainer.release({"do": "load"}))
    assert (await answers["welcome"].hear())["do"] == "load"
    answers["welcome"].say({"op": "loaded"})
    assert (await released) is not None


@pytest.mark.parametrize("samples", ["many", None, [], {}, -1, 1.5, True, 2**60])
async def test_samples_that_are_no_number_are_refused(trainer: Trainer, samples: object) -> None:
    script = await connect(trainer, HELLO, {"op": "sync", "base": "", "samples": samples})
    assert (await script.hear())["do"] == "welcome"
    assert (await script.hear())["do"] == "refuse"
    assert trainer.request is None


@pytest.mark.parametrize(
    "line", [b"\xff\n", b"7\n", b"[]\n", b"[" * 5000 + b"\n", b'{"op":[]}\n', b"{}\n"]
)
async def test_nonsense_is_refused_and_the_next_process_served(
    trainer: Trainer, line: bytes
) -> None:
    script = await connect(trainer, HELLO)
    await script.hear()
    script.writer.write(line)
    assert (await script.hear()).get("do") in ("refuse", None)
    again = await connect(trainer, HELLO, {"op": "begin"})
    assert (await again.hear())["do"] == "welcome"
    assert (await trainer.waiting()).op == "begin"


@pytest.mark.parametrize("loss", [None, "x", [], 10**400])
async def test_an_evaluation_that_is_none_can_be_told_apart(trainer: Trainer, loss: object) -> None:
    script = await connect(trainer, HELLO, {"op": "sync"})
    await trainer.waiting()
    wanted = asyncio.ensure_future(trainer.evaluate(Path("a"), Path("b"), (), None))
    assert (await script.hear())["do"] == "welcome"
    assert (await script.hear())["do"] == "evaluate"
    script.say({"op": "evaluated", "loss_before": loss, "loss_after": 1.0, "metric": 0.0})
    with pytest.raises(Exception, match="incomplete"):
        await wanted


async def test_parameters_are_never_written_by_a_process_that_did_not_train_them(
    trainer: Trainer,
) -> None:
    trained = await connect(trainer, HELLO, {"op": "sync", "samples": 512})
    request = await trainer.waiting()
    trained.writer.close()
    async with asyncio.timeout(5):
        while trainer.connected:  # noqa: ASYNC110  it takes a few turns of the loop
            await asyncio.sleep(0)
    other = await connect(trainer, HELLO, {"op": "begin"})
    assert (await trainer.waiting()).op == "begin"
    with pytest.raises(TrainerGone, match="anew"):
        await trainer.write(request, Path("update"), {})
    assert (await other.hear())["do"] == "welcome"


async def test_an_instruction_that_nobody_waits_for_any_more_is_answered_first(
    trainer: Trainer,
) -> None:
    script = await connect(trainer, HELLO, {"op": "sync"})
    await trainer.waiting()
    given_up = asyncio.ensure_future(trainer.evaluate(Path("a"), Path("b"), (), None))
    await script.hear()
    await script.hear()
    given_up.cancel()
    released = asyncio.ensure_future(trainer.release({"do": "load"}))
    script.say({"op": "evaluated", "loss_before": 1, "loss_after": 1, "metric": 1})
    assert (await script.hear())["do"] == "load"
    script.say({"op": "loaded"})
    assert (await released) is not None
    assert trainer.request is None


async def load(trainer: Trainer, script: Script, round_number: int) -> None:
    released = asyncio.ensure_future(trainer.release({"do": "load", "round": round_number}))
    while (await script.hear())["do"] != "load":
        pass
    script.say({"op": "loaded"})
    assert await released is not None


async def test_training_lasts_from_a_load_to_the_next_request(
    trainer: Trainer, trained: list[tuple[int, float, int]]
) -> None:
    script = await connect(trainer, HELLO, {"op": "begin"})
    await trainer.waiting()
    assert trained == []
    await load(trainer, script, 4)
    await asyncio.sleep(0.1)  # training
    script.say({"op": "sync", "base": "ab", "samples": 512})
    await trainer.waiting()
    ((round_number, seconds, samples),) = trained
    assert (round_number, samples) == (4, 512)
    assert 0.05 < seconds < 2


async def test_a_request_that_is_repeated_was_trained_for_once(
    trainer: Trainer, trained: list[tuple[int, float, int]]
) -> None:
    script = await connect(trainer, HELLO, {"op": "begin"})
    await trainer.waiting()
    await load(trainer, script, 4)
    script.say(*[{"op": "sync", "base": "ab", "samples": 512}] * 2)
    await trainer.waiting()
    await load(trainer, script, 5)
    script.say({"op": "end", "base": "cd"})
    await trainer.waiting()
    assert [(number, samples) for number, _, samples in trained] == [(4, 512), (5, 0)]


async def test_training_that_broke_off_has_taken_its_time(
    trainer: Trainer, trained: list[tuple[int, float, int]]
) -> None:
    script = await connect(trainer, HELLO, {"op": "begin"})
    await trainer.waiting()
    await load(trainer, script, 4)
    script.writer.close()
    async with asyncio.timeout(5):
        while not trained:  # noqa: ASYNC110  it takes a few turns of the loop
            await asyncio.sleep(0)
    assert [(number, samples) for number, _, samples in trained] == [(4, 0)]
