"""Hosts made of network namespaces: own addresses, names that resolve, and a shell on each."""

from __future__ import annotations

import os
import queue
import secrets
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Sequence
from pathlib import Path

_NETWORK = "10.77.0"
_DOMAIN = "example"
_PREFIX = "swarmtest"
_NAMES_FOLDER = Path("/etc/netns")  # `ip netns exec` lays what is in there over /etc


class NoNamespaces(Exception):
    """This machine lets us make none; the message says why."""


class Host:
    """A namespace with an address, and a shell in it that keeps its state between scripts."""

    def __init__(self, name: str, namespace: str, folder: Path) -> None:
        self.name, self.namespace, self.folder = name, namespace, folder
        folder.mkdir()
        self._scripts = 0
        # Nothing of the surroundings: no proxies, no settings of other agents.
        environment = {
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            "HOME": str(folder),
            "LANG": "C.UTF-8",
            "SWARM_MARKET_PASSWORD": secrets.token_urlsafe(16),
        }
        self._shell = subprocess.Popen(
            ["ip", "netns", "exec", namespace, "bash", "-eu", "-o", "pipefail"],
            cwd=folder, env=environment, text=True, start_new_session=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip
        assert self._shell.stdin is not None
        # Should the tests be killed, the shell's input ends, and its processes with it.
        self._shell.stdin.write("trap 'kill -9 $(jobs -p) 2>/dev/null' EXIT\n")
        self._lines: queue.Queue[str | None] = queue.Queue()
        threading.Thread(target=self._read, daemon=True).start()

    def run(self, script: str, timeout_s: float) -> str:
        """Runs a script in the shell and returns what it said; AssertionError when it fails."""
        self._scripts += 1
        file, end = self.folder / f".script-{self._scripts}.sh", f"end of {self._scripts}"
        file.write_text(script, encoding="utf-8")
        assert self._shell.stdin is not None
        # Whoever asks is told yes.
        self._shell.stdin.write(f"source {file} < <(yes)\nprintf '\\n%s\\n' '{end}'\n")
        self._shell.stdin.flush()
        said: list[str] = []
        while True:
            try:
                line = self._lines.get(timeout=timeout_s)
            except queue.Empty:
                line = None
            if line is None:
                raise AssertionError(
                    f"on {self.name}:\n{script}\n---\n{''.join(said)}{self.logs()}"
                )
            if line.strip() == end:
                return "".join(said)
            said.append(line)

    def logs(self) -> str:
        """The ends of the log files in the host's folder."""
        return "".join(
            f"\n--- {log.name} on {self.name}\n" + "\n".join(log.read_text().splitlines()[-15:])
            for log in sorted(self.folder.glob("*.log"))
        )

    def stop(self) -> None:
        """Ends every process in the namespace."""
        for _ in range(2):
            found = _ip("netns", "pids", self.namespace).split()
            for pid in map(int, found):
                os.kill(pid, signal.SIGKILL)
        self._shell.wait()

    def _read(self) -> None:
        assert self._shell.stdout is not None
        for line in self._shell.stdout:
            self._lines.put(line)
        self._lines.put(None)


class Network:
    """A context manager for some hosts on one network; the first one is also its switch."""

    def __init__(self, names: Sequence[str], folder: Path) -> None:
        self.hosts: dict[str, Host] = {}
        self._names, self.folder = names, folder
        self._mark = f"{_PREFIX}{os.getpid()}"

    def address(self, name: str) -> str:
        return f"{_NETWORK}.{self._names.index(name) + 1}"

    def __enter__(self) -> Network:
        if os.geteuid() != 0 or shutil.which("ip") is None:
            raise NoNamespaces("network namespaces need root and the program ip (iproute2)")
        _remove_leftovers()
        try:
            for name in self._names:
                self._add(name)
        except BaseException:
            self.__exit__()
            raise
        return self

    def _add(self, name: str) -> None:
        namespace, switch = f"{self._mark}-{name}", f"{self._mark}-{self._names[0]}"
        try:
            _ip("netns", "add", namespace)
        except subprocess.CalledProcessError as error:
            raise NoNamespaces(f"ip netns add: {error.stderr.strip()}") from error
        _ip("-n", namespace, "link", "set", "lo", "up")
        address = f"{self.address(name)}/24"
        if namespace == switch:
            _ip("-n", namespace, "link", "add", "eth0", "type", "bridge")
        else:
            port = f"port{self._names.index(name)}"
            _ip("-n", namespace, "link", "add", "eth0", "type", "veth", "peer", "name", port,
                "netns", switch)  # fmt: skip
            _ip("-n", switch, "link", "set", port, "master", "eth0", "up")
        _ip("-n", namespace, "addr", "add", address, "dev", "eth0")
        _ip("-n", namespace, "link", "set", "eth0", "up")
        names = [f"{self.address(each)} {each}.{_DOMAIN}" for each in self._names]
        own = _NAMES_FOLDER / namespace
        own.mkdir(parents=True)
        (own / "hosts").write_text("\n".join(["127.0.0.1 localhost", *names, ""]))
        self.hosts[name] = Host(name, namespace, self.folder / name)

    def __exit__(self, *_: object) -> None:
        for host in self.hosts.values():
            host.stop()
        for name in self._names:
            _remove(f"{self._mark}-{name}")


def _remove(namespace: str) -> None:
    subprocess.run(["ip", "netns", "del", namespace], capture_output=True, check=False)
    shutil.rmtree(_NAMES_FOLDER / namespace, ignore_errors=True)


def _remove_leftovers() -> None:
    """What tests left that were killed themselves."""
    for folder in _NAMES_FOLDER.glob(f"{_PREFIX}*-*"):
        owner = folder.name.removeprefix(_PREFIX).partition("-")[0]
        if owner.isdecimal() and not Path(f"/proc/{owner}").exists():
            _remove(folder.name)


def _ip(*arguments: str) -> str:
    return subprocess.run(["ip", *arguments], check=True, capture_output=True, text=True).stdout
