"""One site of a local swarm: where it is, its keys, and its processes."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

from contracts.keys import Signer
from node_agent.errors import AgentStateError
from node_agent.health import ask_status

TRUST_DOMAIN = "local.example"


@dataclass(frozen=True)
class Place:
    """Where a site's processes run, and how others reach it there."""

    host: str = "127.0.0.1"
    command: tuple[str, ...] = ()
    """In front of every command, to enter the place."""
    inbound: bool = True
    rpc_url: str | None = None
    """Of the chain, as seen from there; None: as from here."""


@dataclass
class Site:
    """One node of an organization: its folder, keys and processes."""

    party: int
    organization: str
    node: str
    folder: Path
    port: int
    wallet: Signer
    key: Signer
    place: Place = Place()
    agent: subprocess.Popen[bytes] | None = None
    training: subprocess.Popen[bytes] | None = None
    logs: list[IO[bytes]] = field(default_factory=list)

    @property
    def spiffe_id(self) -> str:
        """The name of the node."""
        return f"spiffe://{TRUST_DOMAIN}/org/{self.organization}/node/{self.node}"

    @property
    def url(self) -> str:
        """As it is enrolled."""
        return f"https://{self.place.host}:{self.port}" if self.place.inbound else ""

    def status(self) -> dict[str, Any]:
        """What the agent says of itself; empty while it does not answer."""
        try:
            return ask_status(self.folder / "agent.sock")
        except AgentStateError:
            return {}

    def start_agent(self, program: Sequence[str] = ()) -> None:
        """Start, or start again, `swarm-node`, or another program in its place."""
        agent = program or [str(Path(sys.executable).with_name("swarm-node"))]
        self.agent = self._start([*agent, "run", "-c", str(self.folder)], "agent.log", {})

    def start_training(self, command: Sequence[str], environment: Mapping[str, str]) -> None:
        """Start a training process that finds the agent through its socket."""
        variables = {"SWARM_AGENT_SOCKET": str(self.folder / "agent.sock"), **environment}
        self.training = self._start(command, "training.log", variables)

    def _start(
        self, command: Sequence[str], log: str, environment: Mapping[str, str]
    ) -> subprocess.Popen[bytes]:
        output = (self.folder / log).open("ab")
        self.logs.append(output)
        return subprocess.Popen(
            [*self.place.command, *command],
            stdout=output,
            stderr=output,
            env={**os.environ, **environment},
        )

    def stop(self) -> None:
        """End both processes."""
        for process in (self.training, self.agent):
            if process and process.poll() is None:
                process.terminate()
                try:
                    process.wait(10)
                except subprocess.TimeoutExpired:
                    process.kill()
                    process.wait(10)
        self.training = self.agent = None
        for log in self.logs:
            log.close()
