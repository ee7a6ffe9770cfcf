"""Agents and training processes, and the run until it is over, kills included."""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from scripts.demo.errors import DemoError
from scripts.demo.parties import INSTITUTES, Institute
from scripts.demo.processes import Processes
from scripts.demo.settings import LEADER, Kill, Settings
from scripts.demo.view import View
from scripts.demo.watch import Picture, Watch, ask_status

_LOOK_EVERY_S = 0.2
_UP_TIMEOUT_S = 60.0
_STALL_TIMEOUT_S = 120.0
_END_TIMEOUT_S = 60.0
_EPOCHS = 1_000_000  # more than any run takes: the run ends the training
_SWARM_NODE = Path(sys.executable).with_name("swarm-node")
_BY_KEY = {each.key: each for each in INSTITUTES}


@dataclass(slots=True)
class Sites:
    """The three sites' processes.

    Attributes:
        processes: that start and stop them.
        folders: of the agents, by institute.
        sockets: that training processes talk to, by institute.
    """

    processes: Processes
    folders: Mapping[str, Path]
    sockets: Mapping[str, Path]
    _environment: dict[str, str] = field(default_factory=dict)
    _away: set[str] = field(default_factory=set)

    async def start_training(self, settings: Settings) -> None:
        """Start the training processes; they wait for their agents."""
        command: list[str | Path] = [sys.executable, "-m", "examples.breast_cancer.train"]
        for each in INSTITUTES:
            environment = {
                "SWARM_AGENT_SOCKET": str(self._door(each.key)),
                "DATA_DIR": str(settings.data / each.key),
                "MODEL_DIR": str(self.model(each.key).parent),
                "MAX_EPOCHS": str(_EPOCHS),
            }
            options = ["--seed", str(settings.seed)]
            await self.processes.start(each.trainer, [*command, *options], environment)

    def model(self, key: str) -> Path:
        """Where a training process saves its final model."""
        return self.folders[key].with_name(f"{key}-model") / "model.safetensors"

    def final_models(self) -> list[Path]:
        """The final model, as each site has it that was there until the end."""
        return [self.model(each.key) for each in INSTITUTES if each.key not in self._away]

    async def start_agents(self, environment: Mapping[str, str]) -> None:
        """Start the agents and wait until they answer. `environment`: settings of all of them."""
        self._environment = dict(environment)
        await asyncio.gather(*map(self._start_agent, INSTITUTES))
        for each in INSTITUTES:
            await self.processes.until(
                f"start of {each.agent}",
                partial(ask_status, self.sockets[each.key]),
                _UP_TIMEOUT_S,
                needs=[each.agent],
            )
        # Two would be enough for round 0; like this, nobody is late for the common start.
        for key, socket in self.sockets.items():
            self._door(key).symlink_to(socket)

    async def follow(self, watch: Watch, view: View, kills: tuple[Kill, ...]) -> None:
        """Show the run until it is over, and kill and restart agents on the way."""
        pending = list(kills)
        returns: dict[str, int] = {}
        latest, since_s = -1, time.monotonic()
        while True:
            picture = await watch.look()
            view.show(picture)
            if picture.finished:
                return
            for kill in [each for each in pending if each.round <= picture.round]:
                pending.remove(kill)
                await self._kill(kill, picture, returns, view)
            for key in [key for key, when in returns.items() if when <= picture.round]:
                del returns[key]
                view.say(f"{key}'s agent is started again")
                await self._start_agent(_BY_KEY[key])
            self._check()
            if picture.round > latest:
                latest, since_s = picture.round, time.monotonic()
            elif time.monotonic() - since_s > _STALL_TIMEOUT_S:
                raise DemoError(
                    f"round {latest} was not sealed within {_STALL_TIMEOUT_S:.0f} s",
                    hint="the agents' logs say what they wait for",
                    logs=tuple(self.processes.log(each.agent) for each in INSTITUTES),
                )
            await asyncio.sleep(_LOOK_EVERY_S)  # what is shown to people need not be newer

    async def end_training(self) -> None:
        """Wait until the training processes have taken the final model and ended."""
        for each in INSTITUTES:
            if each.key in self._away:
                await self.processes.stop(each.trainer)
            else:
                await self.processes.finish(each.trainer, _END_TIMEOUT_S)

    def _door(self, key: str) -> Path:
        """Where a training process looks for its agent's socket; there once all agents are up."""
        return self.sockets[key].with_name("up.sock")

    async def _start_agent(self, each: Institute) -> None:
        self._away.discard(each.key)
        command: list[str | Path] = [_SWARM_NODE, "run", "--config", self.folders[each.key]]
        await self.processes.start(each.agent, command, self._environment)

    async def _kill(
        self, kill: Kill, picture: Picture, returns: dict[str, int], view: View
    ) -> None:
        key = picture.leader if kill.node == LEADER else kill.node
        if not key:
            return
        self._away.add(key)
        await self.processes.kill(_BY_KEY[key].agent)
        view.say(f"kill -9 of {key}'s agent in round {picture.round}")
        if kill.back_after is not None:
            returns[key] = picture.round + kill.back_after

    def _check(self) -> None:
        for each in INSTITUTES:
            if each.key not in self._away:
                self.processes.check(each.agent)
                self.processes.check(each.trainer, may_have_ended=True)
