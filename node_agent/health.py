"""Asks the running agent how it is, through its Unix socket.

Imports the standard library only: a health check that runs every few seconds must cost nothing.
"""

from __future__ import annotations

import json
import os
import socket
import tomllib
from pathlib import Path
from typing import Any

from node_agent.errors import AgentStateError, ConfigError

ENV_PREFIX = "SWARM_NODE_"
CONFIG_VARIABLE = "SWARM_NODE_CONFIG"
CONFIG_NAME = "agent.toml"
ANSWER_TIMEOUT_S = 5.0
_ANSWER_LIMIT_BYTES = 1 << 20


def config_file(config: Path | None) -> Path:
    """Where the settings are: as told, else as $SWARM_NODE_CONFIG says, else here."""
    path = config or Path(os.environ.get(CONFIG_VARIABLE) or CONFIG_NAME)
    return (path / CONFIG_NAME if path.is_dir() else path).absolute()


def folder_path(config: Path | None) -> Path:
    """The agent's folder, as `node_agent.config` would find it. Raises ConfigError."""
    path, written = _written(config)
    return _folder(path, written)


def socket_path(config: Path | None) -> Path:
    """The agent's socket, as `node_agent.config` would find it. Raises ConfigError."""
    path, written = _written(config)
    name = os.environ.get(f"{ENV_PREFIX}SOCKET") or written.get("socket", "agent.sock")
    return _folder(path, written) / str(name)


def _folder(path: Path, written: dict[str, Any]) -> Path:
    return path.parent / str(os.environ.get(f"{ENV_PREFIX}FOLDER") or written.get("folder", "."))


def _written(config: Path | None) -> tuple[Path, dict[str, Any]]:
    path = config_file(config)
    try:
        written = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ConfigError(
            f"cannot read {path}: {error}", hint=f"name {CONFIG_NAME} with --config"
        ) from error
    return path, written


def ask_status(path: Path) -> dict[str, Any]:
    """What the agent is doing. Raises AgentStateError when it does not say."""
    return ask(path, "status")


def ask(path: Path, what: str) -> dict[str, Any]:
    """One question, one answer. Raises AgentStateError when the agent does not give one."""
    answer = b""
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
            connection.settimeout(ANSWER_TIMEOUT_S)
            connection.connect(str(path))
            connection.sendall(json.dumps({"op": what}).encode() + b"\n")
            while not answer.endswith(b"\n") and len(answer) < _ANSWER_LIMIT_BYTES:
                if not (part := connection.recv(65_536)):
                    break
                answer += part
    except TimeoutError:
        raise AgentStateError(
            f"the agent does not answer at {path} within {ANSWER_TIMEOUT_S:g} s",
            hint="it is there, but hangs: see its log",
        ) from None
    except OSError as error:
        raise AgentStateError(
            f"no agent at {path}: {error.strerror or error}",
            hint="is it running, with the same settings and as the same user?",
        ) from error
    try:
        status = json.loads(answer)
    except ValueError as error:
        raise AgentStateError(f"the agent at {path} answers nonsense") from error
    if not isinstance(status, dict):
        raise AgentStateError(f"the agent at {path} answers nonsense")
    return status
