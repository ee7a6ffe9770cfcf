"""How long answers take, as a browser on this machine waits for them."""

from __future__ import annotations

import http.client
import statistics
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

_WARM_UP = 5
_TIMEOUT_S = 120
_COOKIE = "swarm_session"


@dataclass(frozen=True, slots=True)
class Timing:
    """Of the answers to one request, from its first byte sent to the last one received."""

    requests: int
    warm_up: int  # requests before these
    p50_ms: float
    p95_ms: float
    max_ms: float
    answer_bytes: int

    @classmethod
    def of(cls, seconds: Sequence[float], answer_bytes: int, warm_up: int) -> Timing:
        ms = sorted(1_000 * each for each in seconds)
        # The smallest value that at least 95 of 100 do not exceed.
        p95 = ms[max(0, -(-95 * len(ms) // 100) - 1)]
        return cls(len(ms), warm_up, statistics.median(ms), p95, ms[-1], answer_bytes)


def measure(url: str, path: str, token: str, requests: int, clients: int = 1) -> Timing:
    """Asks again and again, and keeps the connections open as browsers do.

    Args:
        url: of the server.
        path: of the page.
        token: of the session.
        requests: in all, after a few that do not count.
        clients: how many ask at the same time.

    Raises:
        RuntimeError: an answer was not 200.
    """
    seconds: list[float] = []
    sizes: set[int] = set()
    troubles: list[BaseException] = []

    def ask() -> None:
        try:
            found, size = _ask(url, path, token, requests // clients)
        except (RuntimeError, OSError, http.client.HTTPException) as error:
            troubles.append(error)
            return
        seconds.extend(found)
        sizes.add(size)

    threads = [threading.Thread(target=ask, name=f"client {n}") for n in range(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if troubles:
        raise RuntimeError(f"{path}: {troubles[0]}")
    return Timing.of(seconds, max(sizes), clients * min(_WARM_UP, requests // clients))


def _ask(url: str, path: str, token: str, count: int) -> tuple[list[float], int]:
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(
        parts.hostname or "", parts.port or 80, timeout=_TIMEOUT_S
    )
    try:
        for _ in range(min(_WARM_UP, count)):
            _, size = _once(connection, path, token)
        found = [_once(connection, path, token)[0] for _ in range(count)]
    finally:
        connection.close()
    return found, size


def _once(connection: http.client.HTTPConnection, path: str, token: str) -> tuple[float, int]:
    started = time.perf_counter()
    connection.request("GET", path, headers={"Cookie": f"{_COOKIE}={token}", "Accept": "*/*"})
    answer = connection.getresponse()
    body = answer.read()
    took_s = time.perf_counter() - started
    if answer.status != 200:
        raise RuntimeError(f"{answer.status}: {body[:300]!r}")
    return took_s, len(body)
