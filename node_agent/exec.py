"""Runs a training program so that its callback finds the node agent: `swarm-node exec -- …`."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NoReturn

from node_agent.errors import ConfigError
from node_agent.health import CONFIG_VARIABLE, config_file, socket_path

SOCKET_VARIABLE = "SWARM_AGENT_SOCKET"
HPE_NAMES = Path(__file__).parent / "hpe"
"""Holds `swarmlearning`, the import names of programs that were written for HPE Swarm Learning."""


def environment(config: Path | None, inherited: Mapping[str, str]) -> dict[str, str]:
    """Return the program's environment: what is inherited, and how to find the agent.

    `swarmlearning` can be imported, unless the program brings its own: it comes last. Everything
    else (`SL_*`, `SWARM_LOOPBACK`, `DATA_DIR`, `MAX_EPOCHS`) is handed on as it is; the callback
    tells once what its `SL_*` variables mean here.

    Raises:
        ConfigError: the settings cannot be read.
    """
    return {
        **inherited,
        SOCKET_VARIABLE: str(socket_path(config).absolute()),
        CONFIG_VARIABLE: str(config_file(config).absolute()),
        "PYTHONPATH": os.pathsep.join(filter(None, (inherited.get("PYTHONPATH"), str(HPE_NAMES)))),
        # Lines of a program that is watched through a pipe appear when they are printed.
        "PYTHONUNBUFFERED": inherited.get("PYTHONUNBUFFERED", "1"),
    }


def run_program(command: Sequence[str], config: Path | None) -> NoReturn:
    """Become the program, which keeps this process's id, terminal and signals.

    Raises:
        ConfigError: there is no program, or no settings.
    """
    if not command:
        raise ConfigError("no program is named", hint="swarm-node exec -- python train.py")
    variables = environment(config, os.environ)
    program = shutil.which(command[0], path=variables.get("PATH"))
    if program is None:
        raise ConfigError(f"there is no program {command[0]!r}", hint="give its path")
    os.execve(program, list(command), variables)
