"""The agent's side of the training socket: one training process, spoken to in JSON lines.

The training process always asks first (``begin``, ``sync`` or ``end``) and then carries out
instructions (``write``, ``evaluate``) until it is released by ``load`` or ``stop``. Either side may
die and come back at any point; the training process then repeats what it had asked.
"""

from __future__ import annotations

import asyncio
import json
import os
import socket
import struct
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from math import nan
from pathlib import Path
from typing import Any

from node_agent.engine.signals import Changed
from node_agent.errors import TrainingSocketError

PROTOCOL = 1
_SAMPLES_LIMIT = 1 << 53  # whole numbers that every reader of JSON can tell apart
_LINE_LIMIT_BYTES = 4 << 20  # a schema names every tensor of a model


class TrainerGone(TrainingSocketError):
    """The training process closed its connection in the middle of an instruction."""


@dataclass(frozen=True, slots=True)
class Request:
    """What the training process waits for: ``op`` is begin, sync or end."""

    op: str
    body: Mapping[str, Any]
    received_s: float

    @property
    def base(self) -> str:
        """Root (hex) of the parameters it trained from; empty before the first load."""
        return str(self.body.get("base") or "")

    @property
    def samples(self) -> int:
        """How many samples it has trained on since the last load."""
        return int(self.body.get("samples", 0))


@dataclass(frozen=True, slots=True)
class Evaluation:
    """Losses at the base and at the merged model, in the training process's own units."""

    loss_before: float
    loss_after: float
    metric: float
    seconds: float
    has_data: bool = True
    """False: it has no validation data, and the other numbers mean nothing."""
    row_losses: tuple[float, float] | None = None
    """Both losses on the data that others are judged by under `local`, where that are others."""

    @property
    def judged(self) -> tuple[float, float]:
        """Losses at the base and at the merged model on what others are judged by."""
        return self.row_losses or (self.loss_before, self.loss_after)


class Trainer:
    """Serves the socket and lends the connected training process to the engine.

    ``welcome`` gives the answer to ``hello``; ``admit`` refuses (``TrainingSocketError``) what the
    terms forbid; ``status`` answers operators' ``status`` requests on the same socket, ``pause``
    carries out what they decide; ``trained``
    is told for which round, for how many seconds and on how many samples was trained.
    """

    def __init__(
        self,
        path: Path,
        *,
        welcome: Callable[[], dict[str, Any]],
        admit: Callable[[Mapping[str, Any]], None],
        status: Callable[[], Mapping[str, Any]],
        answer_timeout_s: float,
        trained: Callable[[int, float, int], None] = lambda round_number, seconds, samples: None,
        pause: Callable[[bool], None] = lambda paused: None,
    ) -> None:
        self._path = path
        self._trained, self._pause = trained, pause
        self._loading: int | None = None
        """The round whose base is being loaded."""
        self._training: tuple[int, float] | None = None
        """The round that is trained for, and since when."""
        self._answer_timeout_s = answer_timeout_s
        self._welcome, self._admit, self._status = welcome, admit, status
        self._changed = Changed()
        self._turn = asyncio.Lock()
        self._stream: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None
        self._gradients = True
        self._request: Request | None = None
        self._server: asyncio.Server | None = None
        self._answer: asyncio.Future[dict[str, Any]] | None = None

    @property
    def connected(self) -> bool:
        """Is a training process connected?"""
        return self._stream is not None

    @property
    def gradients(self) -> bool:
        """Does the connected training process tell gradients? Most do."""
        return self._gradients

    @property
    def request(self) -> Request | None:
        """What the training process waits for now, if it waits."""
        return self._request

    async def start(self) -> None:
        """Listen; only this user can open the socket."""
        self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._path.unlink(missing_ok=True)
        if len(str(self._path)) > 100:
            raise TrainingSocketError(
                f"The socket path {self._path} is longer than 100 bytes, which Linux refuses.",
                hint="Set `socket` to a shorter path.",
            )
        self._server = await asyncio.start_unix_server(
            self._serve, path=str(self._path), limit=_LINE_LIMIT_BYTES
        )
        self._path.chmod(0o600)

    async def stop(self) -> None:
        """Close the socket and hang up."""
        if self._server:
            self._server.close()
        if self._stream:
            self._stream[1].close()
        self._path.unlink(missing_ok=True)

    # -- what the engine does

    async def waiting(self) -> Request:
        """Wait until the training process asks for something."""
        return await self._changed.until(lambda: self._request)

    async def write(self, request: Request, path: Path, metadata: Mapping[str, str]) -> None:
        """Have the parameters that ``request`` speaks of written to ``path`` under this header."""
        instruction = {"do": "write", "path": str(path), "metadata": dict(metadata)}
        await self._instruct(instruction, request)

    async def evaluate(
        self,
        base: Path,
        merged: Path,
        points: Sequence[tuple[float, float]],
        gradient: Path | None,
    ) -> Evaluation:
        """Losses at both models and, where there are points, the averaged gradient as a file."""
        started = asyncio.get_running_loop().time()
        answer = await self._instruct(
            {
                "do": "evaluate",
                "base": str(base),
                "merged": str(merged),
                "points": [list(point) for point in points],
                "gradient": str(gradient) if gradient else None,
            }
        )
        took_s = asyncio.get_running_loop().time() - started
        try:
            losses = answer["loss_before"], answer["loss_after"]
            if losses == (None, None):
                return Evaluation(nan, nan, nan, took_s, has_data=False)
            row = answer.get("row_losses")
            return Evaluation(
                float(losses[0]),
                float(losses[1]),
                float(answer["metric"]),
                took_s,
                row_losses=None if row is None else (float(row[0]), float(row[1])),
            )
        except (LookupError, TypeError, ValueError, OverflowError) as error:
            raise TrainingSocketError(f"The evaluation is incomplete: {error!r}") from error

    async def release(self, instruction: Mapping[str, Any]) -> Request | None:
        """Send ``load`` or ``stop``; returns the request that this answered once it has loaded."""
        request = self._request
        if request is not None:
            await self._instruct(dict(instruction), request)
        return request

    async def refuse(self, error: str, hint: str) -> None:
        """Tell the training process that it cannot go on, and hang up."""
        if self._stream:
            with suppress(ConnectionError):
                await _send(self._stream[1], {"do": "refuse", "error": error, "hint": hint})
            self._stream[1].close()
            self._request = None

    async def tell(self, message: str) -> None:
        """One line for the user's terminal, while he waits."""
        if self._stream and self._request and not self._turn.locked():
            with suppress(ConnectionError):
                await _send(self._stream[1], {"do": "wait", "message": message})

    async def _instruct(
        self, instruction: dict[str, Any], request: Request | None = None
    ) -> dict[str, Any]:
        """``request``: the one that is meant; ``TrainerGone`` if another has taken its place."""
        # Shielded: an instruction once sent is answered, and the answer must be read, even if
        # the round that wanted it is over by then.
        return await asyncio.shield(asyncio.ensure_future(self._take_turn(instruction, request)))

    async def _take_turn(
        self, instruction: dict[str, Any], request: Request | None
    ) -> dict[str, Any]:
        async with self._turn:
            if request is not None and request is not self._request:
                raise TrainerGone("The training process has asked anew.")
            return await self._exchange(instruction)

    async def _exchange(self, instruction: dict[str, Any]) -> dict[str, Any]:
        if self._stream is None or self._request is None:
            raise TrainerGone("No training process is waiting for instructions.")
        self._answer = asyncio.get_running_loop().create_future()
        self._loading = instruction.get("round") if instruction["do"] == "load" else None
        try:
            await _send(self._stream[1], instruction)
            return await asyncio.wait_for(self._answer, self._answer_timeout_s)
        except TimeoutError as error:
            waited = f"{instruction['do']}: no answer in {self._answer_timeout_s:g} s"
            await self.refuse(waited, "Is the training process stuck? See evaluate_timeout_s.")
            raise TrainerGone(waited) from error
        except ConnectionError as error:
            raise TrainerGone("The training process has hung up.") from error
        finally:
            self._answer = None

    # -- the socket

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            _check_user(writer.get_extra_info("socket"))
            first = await _receive(reader)
            if first.get("op") == "status":
                await _send(writer, dict(self._status()))
            elif first.get("op") in ("pause", "resume"):
                self._pause(first["op"] == "pause")
                await _send(writer, dict(self._status()))
            elif first.get("op") == "hello":
                await self._attend(first, reader, writer)
            else:
                raise TrainingSocketError("A training process says hello first.")
        except TrainingSocketError as error:
            with suppress(ConnectionError):
                await _send(writer, {"do": "refuse", "error": str(error), "hint": error.hint})
        except (ConnectionError, asyncio.IncompleteReadError):
            pass  # it has hung up: nobody is left to tell
        finally:
            writer.close()

    async def _attend(
        self,
        hello: Mapping[str, Any],
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
    ) -> None:
        if self._stream is not None:
            raise TrainingSocketError(
                "A training process is connected already.",
                hint="One training process per run and node; stop the other one first.",
            )
        self._admit(hello)
        self._stream = (reader, writer)  # before anything is awaited: there is one place
        self._gradients = hello.get("gradients", True) is not False
        try:
            await _send(writer, self._welcome())
            while True:
                self._take(await _receive(reader))
        finally:
            self._stop_training(0)
            self._stream, self._request = None, None
            if self._answer and not self._answer.done():
                self._answer.set_exception(TrainerGone("The training process has hung up."))
            self._changed.notify()

    def _take(self, message: dict[str, Any]) -> None:
        if message.get("op") in ("begin", "sync", "end"):
            if message["op"] == "begin":
                self._admit(message)
            samples = message.get("samples", 0)
            if type(samples) is not int or not 0 <= samples < _SAMPLES_LIMIT:
                raise TrainingSocketError(f"{str(samples)[:40]} is no number of samples.")
            self._stop_training(samples)
            self._request = Request(message["op"], message, asyncio.get_running_loop().time())
            self._changed.notify()
        elif self._answer and not self._answer.done():
            if message.get("op") == "loaded":
                # Here, not when the answer is read: the next request may be right behind it.
                self._request = None
                if self._loading is not None:
                    self._training = self._loading, asyncio.get_running_loop().time()
            self._answer.set_result(message)
        else:
            raise TrainingSocketError(f"{message.get('op')!r} answers no instruction.")

    def _stop_training(self, samples: int) -> None:
        """Count what was trained since the last load; a request that is repeated adds nothing."""
        if self._training is not None:
            round_number, since_s = self._training
            self._training = None
            self._trained(round_number, asyncio.get_running_loop().time() - since_s, samples)


def _check_user(sock: socket.socket) -> None:
    """Only the agent's own user may train through it (the kernel names the peer's)."""
    size = struct.calcsize("3i")
    _, uid, _ = struct.unpack("3i", sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, size))
    if uid != os.getuid():
        raise TrainingSocketError(
            "The training process runs as another user.",
            hint=f"Run it as the agent's user (uid {os.getuid()}).",
        )


async def _send(writer: asyncio.StreamWriter, message: Mapping[str, Any]) -> None:
    writer.write(json.dumps(message, separators=(",", ":")).encode() + b"\n")
    await writer.drain()


async def _receive(reader: asyncio.StreamReader) -> dict[str, Any]:
    try:
        line = await reader.readuntil(b"\n")
        message = json.loads(line)
    except asyncio.LimitOverrunError as error:
        raise TrainingSocketError(f"A line exceeds {_LINE_LIMIT_BYTES} bytes.") from error
    except ValueError as error:
        raise TrainingSocketError(f"Not a line of JSON: {error}") from error
    if not isinstance(message, dict):
        raise TrainingSocketError("Every line is a JSON object.")
    return message
