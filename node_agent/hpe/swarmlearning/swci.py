"""`Swci`, for programs that look after their own swarm: contexts, nodes and the state of the run.

It asks the node agent that started the program, through its socket, and changes nothing: runs are
created, and tasks assigned, in the marketplace. Its other commands are refused with that hint.
"""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

from node_agent.callbacks.agent import SOCKET_VARIABLE
from node_agent.callbacks.errors import AgentUnreachable, CallbackError
from node_agent.callbacks.hpe import DEFAULT_CONTRACT
from node_agent.errors import AgentStateError
from node_agent.health import ask_status

__all__ = ["Swci", "SwciRefused"]

ELSEWHERE = frozenset(
    {
        "createTrainingContract",
        "resetTrainingContract",
        "listTasks",
        "createTaskFrom",
        "deleteTask",
        "finalizeTask",
        "registerTask",
        "getTaskInfo",
        "getTaskBody",
        "uploadTaskDefintion",
        "listTaskRunners",
        "getTaskRunnerInfo",
        "getTaskRunnerStatus",
        "getTaskRunnerPeerStatus",
        "resetTaskRunner",
        "assignTask",
        "isTaskDone",
        "executeTask",
        "plotTopology",
    }
)
_DEFAULT_CONTEXT = "default"


class SwciRefused(CallbackError):
    """A command that this program cannot give here, or a context that there is not."""


class Swci:
    """The read-only part of the command interface.

    Args:
        swciIp: kept with the context; the agent that started the program is asked in any case.
        port: as swciIp.
        clientCert: accepted for compatibility, as are clientPKey, clientCABundle and enableCaching.
        logger: instead of the logger `swarm.swci`.
        logLv: level of that logger.
    """

    def __init__(
        self,
        swciIp: str,
        port: int = 30306,
        clientCert: str | None = None,
        clientPKey: str | None = None,
        clientCABundle: str | None = None,
        logger: logging.Logger | None = None,
        logLv: int = logging.WARNING,
        enableCaching: bool = True,
    ) -> None:
        self.logger = logger or logging.getLogger("swarm.swci")
        self.logger.setLevel(logLv)
        self._contexts: dict[str, dict[str, Any]] = {
            _DEFAULT_CONTEXT: {"name": _DEFAULT_CONTEXT, "ip": swciIp, "port": port}
        }
        self._context = _DEFAULT_CONTEXT
        self._directory = Path.cwd()
        self._errors: list[str] = []

    def __getattr__(self, name: str) -> Callable[..., NoReturn]:
        if name not in ELSEWHERE:
            raise AttributeError(name)

        def refuse(*_: Any, **__: Any) -> NoReturn:
            raise self._error(
                f"{name} cannot be called from a training program",
                "Runs and tasks are managed in the marketplace: its pages, or swarm-market.",
            )

        return refuse

    # -- the session

    def setLogLevel(self, logLv: int) -> None:
        self.logger.setLevel(logLv)

    def getErrors(self) -> list[str]:
        """Return what was refused so far."""
        return list(self._errors)

    def clearCache(self) -> None:
        """Do nothing: every answer is fresh."""

    def ls(self) -> list[str]:
        return sorted(path.name for path in self._directory.iterdir())

    def pwd(self) -> str:
        return str(self._directory)

    def cd(self, directory: str) -> str:
        """Change the directory of `ls`; the process's own stays."""
        there = (self._directory / directory).resolve()
        if not there.is_dir():
            raise self._error(f"{there} is no directory", "")
        self._directory = there
        return str(there)

    def sleep(self, seconds: float) -> None:
        time.sleep(seconds)  # the pause is the purpose

    # -- contexts

    def listContexts(self) -> list[str]:
        return list(self._contexts)

    def getContextInfo(self, ctx: str | None = None) -> dict[str, Any]:
        return dict(self._contexts[self._known(ctx or self._context)])

    def switchContext(self, ctx: str) -> None:
        self._context = self._known(ctx)

    def createContext(
        self, ctx: str, ip: str | None = None, port: int = 30304, service: str | None = None
    ) -> None:
        """Name a place, and make it the current context."""
        self._contexts[ctx] = {"name": ctx, "ip": ip, "port": port, "service": service}
        self._context = ctx

    # -- nodes and the run

    def listNodes(self) -> list[dict[str, str]]:
        """Return the nodes of the open round, by SPIFFE ID, and which one leads."""
        status = self._status()
        leader = status.get("leader")
        return [
            {"type": "SL", "name": name, "role": "leader" if name == leader else "member"}
            for name in status.get("members") or [status["node"]]
        ]

    def listTrainingContracts(self) -> list[str]:
        """Return the one run that this node takes part in."""
        status = self._status()
        return [str(status.get("name") or status["run"])]

    def getTrainingContractInfo(self, contract: str | None = None) -> dict[str, Any]:
        status = self._status(contract)
        return {key: status.get(key) for key in ("name", "run", "node", "max_rounds")}

    def getTrainingContractStatus(self, contract: str | None = None) -> dict[str, Any]:
        """Return state, round and leader, as `swarm-node status` shows them."""
        status = self._status(contract)
        return {key: status.get(key) for key in ("state", "round", "max_rounds", "term", "leader")}

    def getTrainingContractPerformanceData(self, contract: str | None = None) -> dict[str, Any]:
        """Return what the node reports of its last round: losses, metric, seconds."""
        return dict(self._status(contract).get("last") or {})

    def _status(self, contract: str | None = None) -> dict[str, Any]:
        path = os.environ.get(SOCKET_VARIABLE)
        if not path:
            raise AgentUnreachable(
                f"{SOCKET_VARIABLE} is not set, so there is no node agent to ask",
                hint="Start the program with: swarm-node exec -- python train.py",
            )
        try:
            status = ask_status(Path(path))
        except AgentStateError as error:
            raise AgentUnreachable(str(error), hint=error.hint) from error
        names = [name for name in (status.get("name"), status.get("run")) if name]
        if contract not in (None, DEFAULT_CONTRACT, *names):
            raise self._error(
                f"this node takes part in {' / '.join(names)}, not in {contract}",
                "Leave the contract out: a node agent takes part in one run.",
            )
        return status

    def _known(self, ctx: str) -> str:
        if ctx not in self._contexts:
            raise self._error(
                f"there is no context {ctx!r}", f"Known: {', '.join(self._contexts)}."
            )
        return ctx

    def _error(self, message: str, hint: str) -> SwciRefused:
        self._errors.append(message)
        return SwciRefused(message, hint=hint)
