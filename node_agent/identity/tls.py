"""Mutual TLS 1.3 between nodes: the standard library's ssl, and who the other side must be.

OpenSSL verifies the chain and its dates. What it cannot know is checked when the handshake is done
and before the first byte passes: the peer's certificate ends in an authority of *its own* trust
domain, and its SPIFFE ID is exactly one that is expected. `ssl.SSLContext.check_hostname` is off,
on purpose and everywhere: it compares DNS names and IP addresses, of which an SVID has none. The
name of a node is its SPIFFE ID, and where it listens may change.
"""

from __future__ import annotations

import logging
import os
import ssl
from collections.abc import Callable
from typing import Any, cast

from cryptography import x509

from node_agent.errors import IdentityError
from node_agent.identity.svid import Leaf, Svid, read_leaf

log = logging.getLogger(__name__)

# Raises IdentityError when the holder of this certificate may not speak.
Admit = Callable[[Leaf], None]


class PeerContext(ssl.SSLContext):
    """The TLS settings of one SVID. Connections keep theirs when the next SVID has come."""

    svid: Svid
    admit: Admit


class PeerConnection(ssl.SSLObject):
    """A TLS connection whose handshake fails unless the peer is who it must be.

    Attributes:
        peer: what the peer's certificate says; set when the handshake is done.
    """

    peer: Leaf

    @property
    def own(self) -> Svid:
        """The SVID that this node showed on this connection."""
        return cast(PeerContext, self.context).svid

    def do_handshake(self) -> None:
        try:
            super().do_handshake()
            self.peer = self._judge()
        except (ssl.SSLWantReadError, ssl.SSLWantWriteError, ssl.SSLEOFError):
            raise
        except ssl.SSLError as error:
            log.warning("TLS handshake failed: %s", error)
            raise
        except IdentityError as error:
            log.warning("peer refused: %s", error)
            raise ssl.SSLCertVerificationError(str(error)) from error

    def _judge(self) -> Leaf:
        chain = self._verified_chain()
        if not chain:
            raise IdentityError("the peer shows no certificate")
        leaf = read_leaf(x509.load_der_x509_certificate(chain[0]))
        if chain[-1] not in self.own.bundles.get(leaf.trust_domain, ()):
            raise IdentityError(
                f"{leaf.spiffe_id} is certified by an authority of another trust domain"
            )
        cast(PeerContext, self.context).admit(leaf)
        return leaf

    def _verified_chain(self) -> list[bytes]:
        """The chain that OpenSSL verified as DER, leaf first, authority last."""
        # Public from Python 3.13 on; before, the same method is found one level lower, and returns
        # objects.
        certificates = cast(Any, self)._sslobj.get_verified_chain() or ()
        return [ssl.PEM_cert_to_DER_cert(each.public_bytes()) for each in certificates]


def client_context(svid: Svid, expected: str) -> PeerContext:
    """A context for connections to the node of exactly that SPIFFE ID."""

    def admit(leaf: Leaf) -> None:
        if leaf.spiffe_id != expected:
            raise IdentityError(f"expected {expected}, but {leaf.spiffe_id} answered")

    return _context(ssl.PROTOCOL_TLS_CLIENT, svid, admit)


def server_context(current: Callable[[], Svid], admit: Admit) -> ssl.SSLContext:
    """A context for a listener: each new connection gets the SVID that is current then.

    Without a valid SVID of its own the listener completes no handshake.
    """
    front = _blank(ssl.PROTOCOL_TLS_SERVER)
    latest: PeerContext | None = None

    def choose(connection: ssl.SSLObject, name: str | None, context: ssl.SSLContext) -> int | None:
        nonlocal latest
        try:
            svid = current()
        except IdentityError as error:
            log.error("connection refused, this node has no valid SVID: %s", error)
            return int(ssl.ALERT_DESCRIPTION_INTERNAL_ERROR)
        if latest is None or latest.svid is not svid:
            latest = _context(ssl.PROTOCOL_TLS_SERVER, svid, admit)
        connection.context = latest
        return None

    front.sni_callback = choose
    return front


def _context(protocol: int, svid: Svid, admit: Admit) -> PeerContext:
    context = _blank(protocol)
    context.svid = svid
    context.admit = admit
    load_key(context, svid)
    for authorities in svid.bundles.values():
        for authority in authorities:
            context.load_verify_locations(cadata=authority)
    return context


def _blank(protocol: int) -> PeerContext:
    context = PeerContext(protocol)
    context.check_hostname = False  # see the module's docstring
    context.verify_mode = ssl.CERT_REQUIRED
    context.verify_flags |= (
        ssl.VERIFY_X509_PARTIAL_CHAIN
    )  # a bundle may hold authorities that are not self-signed
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.sslobject_class = PeerConnection
    if protocol == ssl.PROTOCOL_TLS_SERVER:
        context.num_tickets = 0  # no resumption: every connection shows a certificate
    return context


def load_key(context: ssl.SSLContext, svid: Svid) -> None:
    """ssl takes keys from files only: an anonymous one in memory keeps them off the disk."""
    descriptor = os.memfd_create("svid", os.MFD_CLOEXEC)
    try:
        with os.fdopen(descriptor, "wb", closefd=False) as file:
            file.write(svid.key_pem + svid.chain_pem)
        context.load_cert_chain(f"/proc/self/fd/{descriptor}")
    finally:
        os.close(descriptor)
