"""TLS of the agent listener: client certificates of the built-in CA, and how the app sees them."""

from __future__ import annotations

import asyncio
import logging
import os
import ssl
import tempfile
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from cryptography import x509
from fastapi import Request

from marketplace.errors import NotAllowed
from marketplace.identity.authority import Authority
from marketplace.web.patience import PatientProtocol

_LOG = logging.getLogger(__name__)
_LONGEST_NAP_S = 3_600


class PeerCertificateProtocol(PatientProtocol):
    """uvicorn's HTTP protocol, which tells the app the peer's certificate.

    In the place where ASGI's TLS extension has it, but as DER: scope["extensions"]["tls"]
    ["client_certificate"], None if the peer showed none.
    """

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override] # as in uvicorn
        super().connection_made(transport)
        connection = transport.get_extra_info("ssl_object")
        self._certificate = connection.getpeercert(binary_form=True) if connection else None

    def on_message_begin(self) -> None:
        super().on_message_begin()
        scope: Any = self.scope
        scope["extensions"] = {"tls": {"client_certificate": self._certificate}}


class ServerTls:
    """The listener's SSL context, with a certificate that is renewed at half of its life."""

    def __init__(
        self,
        authority: Authority,
        names: Sequence[str],
        folder: Path,
        lifetime_s: int,
        clock: Callable[[], int],
    ) -> None:
        self._authority = authority
        self._names = names
        self._folder = folder
        self._lifetime_s = lifetime_s
        self._clock = clock
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.minimum_version = ssl.TLSVersion.TLSv1_3
        # First contact comes without a certificate; whoever shows one shows a good one.
        self.context.verify_mode = ssl.CERT_OPTIONAL
        self.context.load_verify_locations(cadata=authority.bundle_pem)
        self._renew()

    async def keep_fresh(self) -> None:
        """Renews until it is cancelled; connections that are open keep what they have."""
        due_s = self._clock() + self._lifetime_s // 2
        while True:
            # In naps: the event loop's clock stands still while the machine is suspended.
            await asyncio.sleep(min(max(due_s - self._clock(), 1), _LONGEST_NAP_S))
            if self._clock() >= due_s:
                self._renew()
                due_s = self._clock() + self._lifetime_s // 2
                _LOG.info("the certificate of the agent listener was renewed")

    def _renew(self) -> None:
        chain, key = self._authority.issue_server(self._names, self._clock(), self._lifetime_s)
        # OpenSSL takes it from a file only: one for our eyes, and gone at once.
        descriptor, path = tempfile.mkstemp(dir=self._folder, prefix=".agent-listener.")
        try:
            with os.fdopen(descriptor, "w", encoding="ascii") as file:
                file.write(key + chain)
            self.context.load_cert_chain(path)
        finally:
            os.unlink(path)


def serial_of(request: Request) -> str:
    """The serial number of the SVID that the node behind a request shows, as `Issued` has it.

    The handshake has checked the chain; here is checked again for each request that it is not
    over: connections live long.

    Raises:
        NotAllowed: no certificate, or one that is over.
    """
    der = request.scope.get("extensions", {}).get("tls", {}).get("client_certificate")
    if der is None:
        raise NotAllowed(
            "a node has to show its SVID here", hint="connect with the certificate from enrollment"
        )
    certificate = x509.load_der_x509_certificate(der)
    if certificate.not_valid_after_utc <= datetime.now(UTC):
        raise NotAllowed(
            f"the SVID expired on {certificate.not_valid_after_utc:%Y-%m-%d %H:%M:%S} UTC",
            hint="ask your organization for a new enrollment token",
        )
    return f"{certificate.serial_number:x}"
