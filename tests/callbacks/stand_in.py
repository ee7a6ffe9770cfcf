"""A stand-in for the node agent: speaks the training socket's protocol from a script.

It lets a test decide what the agent says and when it dies; the end-to-end test has the real one.
"""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

RUN = "0x" + "ab" * 32
WELCOME = {
    "do": "welcome",
    "run": RUN,
    "name": "breast-cancer",
    "node": "spiffe://example.org/org/north/node/n1",
    "round": 0,
    "terms": {"minPeers": 2, "syncFrequency": 2, "maxRounds": 24, "mergeMethod": "mean"},
    "validation": None,
    "directory": "/exchange",
}


class Line:
    """One connection, seen from the agent's side."""

    def __init__(self, connected: socket.socket, heard: list[dict[str, Any]]) -> None:
        self._socket = connected
        self._reader = connected.makefile("rb")
        self._heard = heard

    def hear(self) -> dict[str, Any]:
        line = self._reader.readline()
        if not line:
            raise ConnectionError("the script hung up")
        message: dict[str, Any] = json.loads(line)
        self._heard.append(message)
        return message

    def tell(self, message: dict[str, Any]) -> None:
        self.tell_bytes(json.dumps(message).encode() + b"\n")

    def tell_bytes(self, line: bytes) -> None:
        self._socket.sendall(line)

    def ask(self, message: dict[str, Any]) -> dict[str, Any]:
        self.tell(message)
        return self.hear()

    def welcome(self, **changes: Any) -> None:
        """Take the hello and answer it."""
        assert self.hear()["op"] == "hello"
        self.tell(WELCOME | changes)

    def load(self, path: Path, round_: int = 0, base: str = "00") -> None:
        """Take a request, answer it with a load, and take the answer to that."""
        self.hear()
        assert self.ask(load(path, round_, base)) == {"op": "loaded"}


class StandInAgent:
    """Listens on `path`; each connection is handled by the next script, then closed."""

    def __init__(self, path: Path, *scripts: Callable[[Line], object]) -> None:
        self.path = path
        self.heard: list[dict[str, Any]] = []
        self.failures: list[BaseException] = []
        self._scripts = scripts
        self._thread = threading.Thread(target=self._serve, daemon=True)

    @property
    def operations(self) -> list[str]:
        return [message["op"] for message in self.heard]

    def __enter__(self) -> StandInAgent:
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(self.path))
        self._listener.listen()
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        # Wakes a script that waits for a connection which never comes.
        self._listener.shutdown(socket.SHUT_RDWR)
        self._thread.join(timeout=10)
        self._listener.close()
        assert not self._thread.is_alive(), "the agent's script did not come to its end"
        assert not self.failures, self.failures

    def _serve(self) -> None:
        for script in self._scripts:
            try:
                connected, _ = self._listener.accept()
            except OSError:
                return
            with connected:
                try:
                    script(Line(connected, self.heard))
                except BaseException as failure:
                    self.failures.append(failure)
                    return


def load(path: Path, round_: int = 0, base: str = "00") -> dict[str, Any]:
    measured = {"loss": 0.5, "metric": 0.9}
    return {
        "do": "load",
        "path": str(path),
        "round": round_,
        "base": base,
        "last": False,
    } | measured


def stop(path: Path | None, round_: int = 3) -> dict[str, Any]:
    final = None if path is None else str(path)
    return {"do": "stop", "path": final, "reason": "target reached", "round": round_}
