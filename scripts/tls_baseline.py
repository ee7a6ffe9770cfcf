"""What one TLS 1.3 connection between two processes of this machine can do, and no more.

The standard library's ssl over loopback, blocking sockets, nothing else in between: the baseline
that exchanging a round's messages and files is compared with.
"""

from __future__ import annotations

import multiprocessing
import socket
import ssl
import statistics
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from marketplace.identity import authority

_BYTES = 256 << 20
_CHUNK = 256 << 10
_ECHOES = 500
_MESSAGE_BYTES = 1000


@dataclass(frozen=True, slots=True)
class Baseline:
    """Bytes per second one way, and seconds for a message of 1 kB and its answer of 1 kB."""

    bytes_per_s: float
    echo_s: float


def measure() -> Baseline:
    """Measure both, in a few seconds."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        now_s = int(time.time())
        issuer = authority.create(folder, "baseline.example", now_s)
        chain_pem, key_pem = issuer.issue_server(["127.0.0.1"], now_s, 3600)
        (folder / "chain.pem").write_text(chain_pem)
        (folder / "key.pem").write_text(key_pem)
        with socket.create_server(("127.0.0.1", 0)) as listener:
            forking = multiprocessing.get_context("fork")  # the listener goes along
            other = forking.Process(target=_serve, args=(listener, folder))
            other.start()
            trust = ssl.create_default_context(cadata=issuer.bundle_pem)
            with (
                socket.create_connection(listener.getsockname()) as plain,
                trust.wrap_socket(plain, server_hostname="127.0.0.1") as stream,
            ):
                stream.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                baseline = Baseline(_BYTES / _receive(stream), _echo(stream))
            other.join(10)
    return baseline


def _serve(listener: socket.socket, folder: Path) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "chain.pem", folder / "key.pem")
    plain, _ = listener.accept()
    plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    block = bytes(_CHUNK)
    with context.wrap_socket(plain, server_side=True) as stream:
        for _ in range(_BYTES // _CHUNK):
            stream.sendall(block)
        while message := stream.recv(_MESSAGE_BYTES):
            stream.sendall(message)


def _receive(stream: ssl.SSLSocket) -> float:
    space = bytearray(_CHUNK)
    started = time.perf_counter()
    left = _BYTES
    while left:
        left -= stream.recv_into(space)
    return time.perf_counter() - started


def _echo(stream: ssl.SSLSocket) -> float:
    message, times = bytes(_MESSAGE_BYTES), []
    for _ in range(_ECHOES):
        started = time.perf_counter()
        stream.sendall(message)
        left = _MESSAGE_BYTES
        while left:
            left -= len(stream.recv(left))
        times.append(time.perf_counter() - started)
    return statistics.median(times)
