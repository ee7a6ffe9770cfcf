"""Addresses to listen on, as operators write them."""

from __future__ import annotations

from node_agent.errors import ConfigError


def address(listen: str) -> tuple[str, int]:
    """Read "host:port", or "[v6]:port". Raises ConfigError."""
    host, _, port = listen.rpartition(":")
    if not host or not port.isdecimal() or int(port) > 65_535:
        raise ConfigError(
            f"{listen!r} is not an address and a port", hint='write it like "0.0.0.0:7443"'
        )
    return host.strip("[]"), int(port)
