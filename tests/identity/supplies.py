"""The three kinds of sources, each with the world that it takes its SVIDs from."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec

from node_agent.errors import MarketplaceError
from node_agent.identity.builtin import BuiltinSource, store
from node_agent.identity.files import FileSource
from node_agent.identity.source import RotatingSource
from node_agent.identity.workload import WorkloadSource
from tests.identity.authority import TRUST_DOMAIN, Authority, Issued
from tests.identity.clock import Clock
from tests.identity.workload_api import WorkloadApi

NAME = f"spiffe://{TRUST_DOMAIN}/org/clinic/node/1"
OTHER = f"spiffe://{TRUST_DOMAIN}/org/clinic/node/2"


class Supply(Protocol):
    """One kind of source, and the world that it takes SVIDs from."""

    clock: Clock

    def offer(self, authority: Authority, issued: Issued) -> None: ...

    def source(self, spiffe_id: str = NAME) -> RotatingSource: ...

    def stop(self) -> None: ...


class FileSupply:
    def __init__(self, folder: Path) -> None:
        self.clock = Clock()
        self.folder = folder
        self.chain, self.key, self.bundle = (folder / each for each in ("c.pem", "k.pem", "b.pem"))

    def offer(self, authority: Authority, issued: Issued) -> None:
        self.bundle.write_bytes(authority.pem)
        self.chain.write_bytes(issued.chain_pem)
        self.key.write_bytes(issued.key_pem)
        self.key.chmod(0o600)

    def source(self, spiffe_id: str = NAME) -> FileSource:
        return FileSource(
            self.chain,
            self.key,
            self.bundle,
            spiffe_id=spiffe_id,
            poll_s=0.05,
            clock=self.clock,
        )

    def stop(self) -> None:
        pass


class BuiltinSupply:
    """A marketplace that renews with whatever is offered to it, while it is open."""

    def __init__(self, folder: Path) -> None:
        self.clock = Clock()
        self.folder = folder
        self.asked: list[bytes] = []
        self.away = False
        self._made: tuple[Authority, Issued] | None = None
        self._next: asyncio.Event | None = None

    def offer(self, authority: Authority, issued: Issued) -> None:
        if self._made is None:
            store(self.folder, issued.key_pem, issued.chain_pem, authority.pem)
        self._made = authority, issued
        self.clock.ahead_s = 0 if self._next is None else 1800  # more than half of its life
        if self._next is not None:
            self._next.set()

    def source(self, spiffe_id: str = NAME) -> BuiltinSource:
        self._next = asyncio.Event()
        return BuiltinSource(self.folder, self._renew, spiffe_id=spiffe_id, clock=self.clock)

    async def _renew(self, csr_pem: bytes) -> tuple[bytes, bytes]:
        self.asked.append(csr_pem)
        if self.away:
            raise MarketplaceError("the marketplace is away")
        assert self._made is not None
        assert self._next is not None
        await self._next.wait()
        authority, pattern = self._made
        names = pattern.certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName)
        [name] = names.value.get_values_for_type(x509.UniformResourceIdentifier)
        ttl_s = pattern.certificate.not_valid_after_utc.timestamp() - time.time()
        key = x509.load_pem_x509_csr(csr_pem).public_key()
        assert isinstance(key, ec.EllipticCurvePublicKey)
        issued = authority.issue(name, ttl_s=ttl_s, public_key=key)
        return issued.chain_pem, authority.pem

    def stop(self) -> None:
        pass


class WorkloadSupply:
    def __init__(self, folder: Path) -> None:
        self.clock = Clock()
        self.api = WorkloadApi(folder / "api.sock")

    def offer(self, authority: Authority, issued: Issued) -> None:
        self.api.serve(authority, issued)

    def source(self, spiffe_id: str = NAME) -> WorkloadSource:
        return WorkloadSource(self.api.socket, spiffe_id, patience_s=1.0, clock=self.clock)

    def stop(self) -> None:
        self.api.stop()


SUPPLIES: dict[str, Callable[[Path], Supply]] = {
    "files": FileSupply,
    "builtin": BuiltinSupply,
    "workload": WorkloadSupply,
}
