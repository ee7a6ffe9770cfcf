"""How fast this machine moves bytes through one TLS 1.3 connection between two processes."""

from __future__ import annotations

import multiprocessing
import socket
import ssl
import tempfile
import time
from pathlib import Path

from marketplace.identity import authority

_BYTES = 256 << 20
_CHUNK = 256 << 10


def tls_bytes_per_s() -> float:
    """Bytes per second from one process to another over loopback, standard-library ssl."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        now_s = int(time.time())
        issuer = authority.create(folder, "baseline.example", now_s)
        chain_pem, key_pem = issuer.issue_server(["127.0.0.1"], now_s, 3600)
        (folder / "chain.pem").write_text(chain_pem)
        (folder / "key.pem").write_text(key_pem)
        with socket.create_server(("127.0.0.1", 0)) as listener:
            sender = multiprocessing.get_context("fork").Process(
                target=_send, args=(listener, folder)
            )
            sender.start()
            trust = ssl.create_default_context(cadata=issuer.bundle_pem)
            with (
                socket.create_connection(listener.getsockname()) as plain,
                trust.wrap_socket(plain, server_hostname="127.0.0.1") as stream,
            ):
                elapsed_s = _receive(stream)
            sender.join(10)
    return _BYTES / elapsed_s


def _send(listener: socket.socket, folder: Path) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "chain.pem", folder / "key.pem")
    plain, _ = listener.accept()
    block = bytes(_CHUNK)
    with context.wrap_socket(plain, server_side=True) as stream:
        for _ in range(_BYTES // _CHUNK):
            stream.sendall(block)


def _receive(stream: ssl.SSLSocket) -> float:
    space = bytearray(_CHUNK)
    started = time.perf_counter()
    left = _BYTES
    while left:
        left -= stream.recv_into(space)
    return time.perf_counter() - started
