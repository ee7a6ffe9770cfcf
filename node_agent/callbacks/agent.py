"""The callback's end of the training socket: JSON lines to the node agent, across its restarts."""

from __future__ import annotations

import json
import logging
import os
import socket
import struct
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from node_agent.callbacks.errors import AgentProtocolError, AgentUnreachable, SwarmRefused
from node_agent.callbacks.instructions import Instruction, Welcome, parse

SOCKET_VARIABLE = "SWARM_AGENT_SOCKET"
_LINE_LIMIT_BYTES = 1 << 20
_UCRED = struct.Struct("3i")  # pid, uid, gid: see unix(7), SO_PEERCRED


@dataclass(frozen=True, slots=True)
class Patience:
    """How long the callback waits for the agent.

    `silence_s` bounds the time without a line of an agent that is connected: while other sites are
    late the agent keeps telling so. `refused_s`: an agent that lost us may not have noticed yet,
    and so refuse us as a second process.
    """

    unreachable_s: float = 120.0
    silence_s: float = 120.0
    refused_s: float = 5.0
    retry_s: float = 0.2


class AgentSocket:
    """One conversation with the agent. `say` a request, then `hear` instructions and `answer` them.

    A lost connection is opened again, the hello and the last request are repeated, and the agent
    resumes: it then gives the instructions that it still needs carried out.
    """

    def __init__(
        self,
        path: Path,
        hello: Mapping[str, Any],
        log: logging.Logger,
        patience: Patience | None = None,
    ) -> None:
        self._path = path
        self._hello = {"op": "hello", **hello}
        self._log = log
        self._patience = patience or Patience()
        self._socket: socket.socket | None = None
        self._unread = b""
        self._request: Mapping[str, Any] | None = None
        self._welcome: Welcome | None = None
        self._lost_since_s: float | None = None

    def open(self) -> Welcome:
        """Connect, say hello and return the agent's welcome.

        Raises:
            AgentUnreachable: nobody answers within the patience, or it is another user's agent.
            SwarmRefused: the agent does not want this script.
        """
        return self._connect()

    def say(self, request: Mapping[str, Any]) -> None:
        """Send a request; it is repeated until the next one, should the agent restart."""
        self._request = request
        self.answer(request)

    def answer(self, message: Mapping[str, Any]) -> bool:
        """Send the answer to an instruction; False if the agent has restarted instead.

        An answer is not repeated: the agent has got the last request again, and instructs anew.
        """
        try:
            self._send(message)
        except OSError as error:
            self._reconnect(error)
            return False
        return True

    def part(self, message: Mapping[str, Any]) -> None:
        """Send the last answer and hang up; an agent that has gone already does not need it."""
        with suppress(OSError):
            self._send(message)
        self.close()

    def hear(self) -> Instruction:
        """Return the agent's next instruction.

        Raises:
            AgentUnreachable: the agent went away and did not come back.
            SwarmRefused, AgentProtocolError: as it says.
        """
        while True:
            try:
                line = self._receive(self._patience.silence_s)
            except OSError as error:
                self._reconnect(error)
            else:
                self._lost_since_s = None
                return parse(line)

    def close(self) -> None:
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def _reconnect(self, cause: OSError) -> None:
        # Counted from the first loss to the next instruction: an agent that comes up, answers hello
        # and dies again is not waited for without end.
        if self._lost_since_s is None:
            self._lost_since_s = time.monotonic()
            self._log.warning("lost the node agent (%s); waiting for it to come back", cause)
        self._connect()
        self._log.info("the node agent is back")

    def _connect(self) -> Welcome:
        since_s = self._lost_since_s or time.monotonic()
        told = self._lost_since_s is not None
        while True:
            waited_s = time.monotonic() - since_s
            try:
                return self._greet(max(self._patience.unreachable_s - waited_s, 0.1))
            except SwarmRefused:
                if self._lost_since_s is None or waited_s > self._patience.refused_s:
                    raise
            except OSError as error:
                if isinstance(error, PermissionError) or waited_s > self._patience.unreachable_s:
                    raise AgentUnreachable(
                        f"no node agent at {self._path} after {waited_s:.0f} s: {error}",
                        hint=f"Start the node agent; {SOCKET_VARIABLE} must name its socket.",
                    ) from error
                if not told:
                    told = True
                    self._log.info("waiting for the node agent at %s", self._path)
            # A socket file that does not exist yet, or has no listener, gives nothing to wait on.
            time.sleep(self._patience.retry_s)

    def _greet(self, timeout_s: float) -> Welcome:
        """Connect once, say hello, take the welcome and repeat the last request."""
        self.close()
        self._unread = b""
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.settimeout(timeout_s)
        self._socket.connect(str(self._path))
        _check_owner(self._socket, self._path)
        self._send(self._hello)
        welcome = parse(self._receive(timeout_s))
        if not isinstance(welcome, Welcome):
            raise AgentProtocolError(f"the node agent answered hello with {welcome}")
        if self._welcome is not None and welcome.run != self._welcome.run:
            raise SwarmRefused(
                f"the node agent came back with another run: {welcome.name}",
                hint="The run that this script took part in is over: start the script again.",
            )
        self._welcome = welcome
        if self._request is not None:
            self._send(self._request)
        return welcome

    def _send(self, message: Mapping[str, Any]) -> None:
        if self._socket is None:
            raise ConnectionError("not connected")
        line = json.dumps(message, separators=(",", ":"), allow_nan=False)
        self._socket.sendall(line.encode() + b"\n")

    def _receive(self, timeout_s: float) -> bytes:
        if self._socket is None:
            raise ConnectionError("not connected")
        self._socket.settimeout(timeout_s)
        while b"\n" not in self._unread:
            if len(self._unread) > _LINE_LIMIT_BYTES:
                raise AgentProtocolError("the node agent sent a line of more than 1 MiB")
            received = self._socket.recv(1 << 16)
            if not received:
                raise ConnectionError("it hung up")
            self._unread += received
        line, _, self._unread = self._unread.partition(b"\n")
        return line


def _check_owner(connected: socket.socket, path: Path) -> None:
    """Refuse a socket that another user listens on: he would get the model."""
    credentials = connected.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _UCRED.size)
    _, uid, _ = _UCRED.unpack(credentials)
    if uid != os.geteuid():
        raise AgentUnreachable(
            f"the agent at {path} runs as user {uid}, this script as user {os.geteuid()}",
            hint="Run the training script as the user who runs the node agent.",
        )
