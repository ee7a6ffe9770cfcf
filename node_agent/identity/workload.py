"""SVIDs from a SPIFFE Workload API, such as a SPIRE agent's."""

from __future__ import annotations

import asyncio
import logging
import time
from pathlib import Path
from typing import TYPE_CHECKING

from cryptography.hazmat.primitives import serialization

from node_agent.errors import IdentityError
from node_agent.identity.source import Clock, RotatingSource
from node_agent.identity.svid import Svid

if TYPE_CHECKING:
    from spiffe import WorkloadApiClient
    from spiffe.workloadapi.workload_api_client import StreamCancelHandler
    from spiffe.workloadapi.x509_context import X509Context

log = logging.getLogger(__name__)

RESTART_S = 5.0


class WorkloadSource(RotatingSource):
    """The SVID of exactly `spiffe_id` among those that the Workload API offers this process.

    The API's stream reconnects by itself. Its order of SVIDs means nothing, the same one may come
    again, and an agent that lost its server goes on serving an expired one: `current` looks at the
    dates.
    """

    expired_hint = (
        "the SPIFFE agent serves no fresh SVID: look at its logs, and whether it reaches its server"
    )

    def __init__(
        self, socket: Path, spiffe_id: str, *, patience_s: float = 10.0, clock: Clock = time.time
    ) -> None:
        super().__init__(spiffe_id, clock)
        self._socket = socket
        self._spiffe_id = spiffe_id
        self._patience_s = patience_s
        self._news: asyncio.Queue[X509Context | Exception] = asyncio.Queue()
        self._client: WorkloadApiClient | None = None
        self._stream: StreamCancelHandler | None = None
        self._restart: asyncio.TimerHandle | None = None

    async def _open(self) -> None:
        why = "it did not answer"
        try:
            async with asyncio.timeout(self._patience_s):
                self._listen()
                while self._svid is None:
                    try:
                        self._adopt(await self._news.get())
                    except IdentityError as error:  # its entry may be on its way
                        why = str(error)
        except TimeoutError:
            await self._close()
            raise IdentityError(
                f"no SVID from the Workload API at {self._socket} within {self._patience_s:g} s: "
                f"{why}",
                hint=f"is there an entry for {self._spiffe_id} that matches this process?",
            ) from None

    async def _watch(self) -> None:
        while True:
            try:
                self._adopt(await self._news.get())
            except IdentityError as error:
                log.warning("the Workload API's answer is not used: %s", error)

    async def _close(self) -> None:
        if self._restart is not None:
            self._restart.cancel()
        if self._stream is not None:
            self._stream.cancel()
        if self._client is not None:
            self._client.close()

    def _listen(self) -> None:
        # gRPC costs a quarter of a second and 30 MB: only those pay who use it.
        from spiffe import WorkloadApiClient
        from spiffe.errors import ArgumentError

        if self._client is None:
            try:
                self._client = WorkloadApiClient(f"unix:{self._socket}")
            except ArgumentError as error:
                raise IdentityError(
                    f"no Workload API at {self._socket}: {error}",
                    hint="is the SPIFFE agent running, and identity.socket the path of its socket?",
                ) from error
        loop = asyncio.get_running_loop()

        def tell(news: X509Context | Exception) -> None:  # called on the stream's own thread
            try:
                loop.call_soon_threadsafe(self._news.put_nowait, news)
            except RuntimeError:  # the loop has closed: nobody listens any more
                log.debug("the Workload API spoke after the end")

        self._stream = self._client.stream_x509_contexts(tell, tell)

    def _adopt(self, news: X509Context | Exception) -> None:
        if isinstance(news, Exception):  # the stream has ended for good: begin another
            self._restart = asyncio.get_running_loop().call_later(RESTART_S, self._listen)
            raise IdentityError(str(news))
        mine = [svid for svid in news.x509_svids if str(svid.spiffe_id) == self._spiffe_id]
        if not mine:
            offered = ", ".join(sorted(str(svid.spiffe_id) for svid in news.x509_svids))
            raise IdentityError(f"there is no SVID for {self._spiffe_id}, only for {offered}")
        svid = max(mine, key=lambda each: each.leaf.not_valid_after_utc)
        bundles = {
            bundle.trust_domain.name: tuple(
                sorted(  # a set: sorted, so that the same bundle compares equal
                    authority.public_bytes(serialization.Encoding.DER)
                    for authority in bundle.x509_authorities
                )
            )
            for bundle in news.x509_bundle_set.bundles
        }
        own = bundles.pop(svid.spiffe_id.trust_domain.name, ())
        if not own:
            raise IdentityError(f"the Workload API offers no bundle for {self._spiffe_id}")
        chain_pem = b"".join(
            certificate.public_bytes(serialization.Encoding.PEM) for certificate in svid.cert_chain
        )
        key_pem = svid.private_key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        self._take(Svid.from_pem(chain_pem, key_pem, own, bundles))
