"""Ports that nobody listens on."""

from __future__ import annotations

import random
import socket

# Below the range that the kernel takes outgoing connections' ports from: nobody gets in between.
_FIRST, _LAST = 20_000, 29_999
_handed_out: set[int] = set()


def free_port() -> int:
    """A TCP port on loopback, never the same twice."""
    while True:
        port = random.randint(_FIRST, _LAST)
        if port in _handed_out:
            continue
        _handed_out.add(port)
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
