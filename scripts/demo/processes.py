"""The demo's processes: started with a log each, watched, and all of them stopped at the end."""

from __future__ import annotations

import asyncio
import ctypes
import os
import signal
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path
from typing import TypeVar

from scripts.demo.errors import DemoError

T = TypeVar("T")

_STOP_TIMEOUT_S = 5.0
_PR_SET_PDEATHSIG = 1
_LIBC = ctypes.CDLL(None)


def _surroundings() -> dict[str, str]:
    """Our environment without settings of other marketplaces and agents of this user."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("SWARM_")}
    return kept | {"PYTHONUNBUFFERED": "1"}


def _die_with_parent() -> None:
    # Runs between fork and exec: should the demo be killed -9, nothing of it stays behind.
    _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)


class Processes:
    """Child processes by name; a name may be started again once its process is gone."""

    def __init__(self, logs: Path) -> None:
        self._logs = logs
        self._running: dict[str, asyncio.subprocess.Process] = {}
        self._adopted: dict[str, int] = {}

    def log(self, name: str) -> Path:
        """Where a process writes what it says."""
        return self._logs / f"{name}.log"

    def adopt(self, name: str, pid: int) -> None:
        """Count a process that somebody else starts and stops."""
        self._adopted[name] = pid

    def pids(self) -> dict[str, int]:
        """The processes that run now."""
        own = {name: each.pid for name, each in self._running.items() if each.returncode is None}
        return own | self._adopted

    def running(self, name: str) -> bool:
        """Is it started, and has it not ended?"""
        return name in self._running and self._running[name].returncode is None

    async def start(
        self,
        name: str,
        command: Sequence[str | Path],
        environment: Mapping[str, str] | None = None,
        *,
        talks: bool = False,
    ) -> None:
        """Start a process in a session of its own: Ctrl-C is for the demo, which stops the rest.

        ``talks``: its stdin and stdout are for ``ask``, and only its stderr goes to the log.
        """
        with self.log(name).open("ab") as log:
            self._running[name] = await asyncio.create_subprocess_exec(
                *command,
                stdin=asyncio.subprocess.PIPE if talks else asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE if talks else log,
                stderr=log,
                env={**_surroundings(), **(environment or {})},
                start_new_session=True,
                preexec_fn=_die_with_parent,
            )

    async def ask(self, name: str, question: str, timeout_s: float) -> str:
        """Give a process that ``talks`` all its input; returns all its output. ``DemoError``."""
        process = self._running[name]
        talk = process.communicate(question.encode())
        try:
            answer, _ = await asyncio.wait_for(talk, timeout_s)
        except TimeoutError:
            raise self._late(name, timeout_s) from None
        if process.returncode:
            raise self._ended(name)
        return answer.decode()

    async def run(
        self,
        name: str,
        command: Sequence[str | Path],
        timeout_s: float,
        environment: Mapping[str, str] | None = None,
    ) -> str:
        """Start a process and wait until it has ended well; returns its output. ``DemoError``."""
        await self.start(name, command, environment, talks=True)
        return await self.ask(name, "", timeout_s)

    def check(self, name: str, *, may_have_ended: bool = False) -> None:
        """``DemoError`` if a process has ended; ``may_have_ended``: only if it did not end well."""
        process = self._running[name]
        if process.returncode is not None and (process.returncode or not may_have_ended):
            raise self._ended(name)

    async def finish(self, name: str, timeout_s: float) -> None:
        """Wait until a process has ended well. ``DemoError``."""
        try:
            code = await asyncio.wait_for(self._running[name].wait(), timeout_s)
        except TimeoutError:
            raise self._late(name, timeout_s) from None
        if code:
            raise self._ended(name)

    async def until(
        self,
        what: str,
        check: Callable[[], Awaitable[T | None]],
        timeout_s: float,
        needs: Sequence[str] = (),
        every_s: float = 0.05,
    ) -> T:
        """Ask until there is an answer. ``DemoError`` in the end, or when a needed process ends.

        Asking is all that can be done with other programs' HTTP interfaces and files.
        """
        deadline_s = time.monotonic() + timeout_s
        while True:
            answer = await check()
            if answer is not None:
                return answer
            for name in needs:
                if not self.running(name):
                    raise self._ended(name)
            if time.monotonic() > deadline_s:
                raise DemoError(
                    f"{what} did not happen within {timeout_s:.0f} s",
                    hint="the machine may be too busy: look at the logs and try again",
                    logs=tuple(map(self.log, needs)),
                )
            await asyncio.sleep(every_s)

    async def kill(self, name: str) -> None:
        """kill -9."""
        process = self._running[name]
        if process.returncode is None:
            process.kill()
            await process.wait()

    async def stop(self, *names: str) -> None:
        """Ask processes to end, and kill those that do not."""
        going = [self._running[name] for name in names if self.running(name)]
        for process in going:
            process.terminate()
        if going:
            done = asyncio.gather(*(process.wait() for process in going))
            try:
                await asyncio.wait_for(done, _STOP_TIMEOUT_S)
            except TimeoutError:
                for process in going:
                    if process.returncode is None:
                        process.kill()
                await asyncio.gather(*(process.wait() for process in going))

    async def stop_all(self) -> None:
        """Stop everything, last started first in line."""
        await self.stop(*reversed(self._running))

    def _late(self, name: str, timeout_s: float) -> DemoError:
        return DemoError(f"{name} did not end within {timeout_s:.0f} s", logs=(self.log(name),))

    def _ended(self, name: str) -> DemoError:
        code = self._running[name].returncode if name in self._running else None
        why = f"by signal {-code}" if code is not None and code < 0 else f"with exit code {code}"
        return DemoError(f"{name} ended {why}", logs=(self.log(name),))
