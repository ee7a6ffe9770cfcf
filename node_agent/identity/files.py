"""SVIDs from files that the operator, or a helper of his, writes and replaces."""

from __future__ import annotations

import asyncio
import logging
import stat
import time
from collections.abc import Mapping
from pathlib import Path

from node_agent.errors import IdentityError
from node_agent.identity.source import Clock, RotatingSource
from node_agent.identity.svid import Svid, read_bundle

log = logging.getLogger(__name__)


class FileSource(RotatingSource):
    """Chain, key and bundle from PEM files; replaced files are taken up within `poll_s`.

    `federated` maps the names of other trust domains to the PEM files of their authorities.
    """

    expired_hint = "replace the certificate files: the agent takes new ones up by itself"

    def __init__(
        self,
        chain: Path,
        key: Path,
        bundle: Path,
        *,
        spiffe_id: str | None = None,
        federated: Mapping[str, Path] | None = None,
        poll_s: float = 2.0,
        clock: Clock = time.time,
    ) -> None:
        super().__init__(spiffe_id, clock)
        self._chain, self._key, self._bundle = chain, key, bundle
        self._federated = dict(federated or {})
        self._poll_s = poll_s
        self._stamps: tuple[object, ...] = ()

    async def _open(self) -> None:
        self._stamps = self._look()
        self._take(self._load())

    async def _watch(self) -> None:
        failed = ""
        while True:
            # There is no portable notification for files behind mounts and symbolic links, and what
            # is looked at are a few inodes.
            await asyncio.sleep(self._poll_s)
            stamps = self._look()
            if stamps == self._stamps:
                continue
            # Several files are replaced one by one: in between they do not fit, and the old SVID
            # stays.
            try:
                self._take(self._load())
                self._stamps, failed = stamps, ""
            except IdentityError as error:
                if str(error) != failed:
                    log.warning("the changed certificate files are not used: %s", error)
                failed = str(error)

    def _look(self) -> tuple[object, ...]:
        stamps: list[object] = []
        for path in (self._chain, self._key, self._bundle, *self._federated.values()):
            try:
                status = path.stat()
            except OSError:
                stamps.append(None)
            else:
                stamps.append((status.st_mtime_ns, status.st_size, status.st_ino))
        return tuple(stamps)

    def _load(self) -> Svid:
        try:
            if self._key.stat().st_mode & stat.S_IRWXO:
                raise IdentityError(
                    f"everyone on this machine can read {self._key}", hint=f"chmod 600 {self._key}"
                )
            chain_pem, key_pem = self._chain.read_bytes(), self._key.read_bytes()
            own = read_bundle(self._bundle.read_bytes())
            federated = {
                name: read_bundle(path.read_bytes()) for name, path in self._federated.items()
            }
        except OSError as error:
            raise IdentityError(
                f"cannot read {error.filename}: {error.strerror}",
                hint="see identity.chain, identity.key and identity.bundle in agent.toml",
            ) from error
        return Svid.from_pem(chain_pem, key_pem, own, federated)
