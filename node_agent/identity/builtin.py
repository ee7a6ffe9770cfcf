"""SVIDs of the marketplace's built-in CA, kept in the folder and renewed at half of their life."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from contracts.files import replace_file
from node_agent.errors import IdentityError
from node_agent.identity.source import Clock, RotatingSource
from node_agent.identity.svid import Svid, read_bundle
from node_agent.renewal import renew_at_half_life

# Takes a CSR as PEM, returns chain and bundle as PEM. Raises MarketplaceError.
Renew = Callable[[bytes], Awaitable[tuple[bytes, bytes]]]

SVID_FILE = "svid.pem"
BUNDLE_FILE = "bundle.pem"


class BuiltinSource(RotatingSource):
    """The SVID in `folder`, which `enroll` left there; each renewal comes with a new TLS key.

    A marketplace that is away is asked again with growing, jittered pauses: what remains is half of
    the SVID's life, so an outage stops nobody.
    """

    expired_hint = "run `swarm-node enroll` on this folder again: its token still gets an SVID"

    def __init__(
        self, folder: Path, renew: Renew, *, spiffe_id: str | None = None, clock: Clock = time.time
    ) -> None:
        super().__init__(spiffe_id, clock)
        self._folder = folder
        self._renew = renew

    async def _open(self) -> None:
        self._take(read_stored(self._folder))

    async def _watch(self) -> None:
        await renew_at_half_life("the SVID", self._life, self._rotate, self._clock)

    async def _rotate(self) -> None:
        stored = read_stored(self._folder)
        if self._svid is None or stored.not_after_s > self._svid.not_after_s:
            self._take(stored)  # the operator has enrolled again
            return
        svid = self.current()
        key = ec.generate_private_key(ec.SECP256R1())
        chain_pem, bundle_pem = await self._renew(certificate_request(key, svid.spiffe_id))
        renewed = Svid.from_pem(chain_pem, private_pem(key), read_bundle(bundle_pem))
        if renewed.spiffe_id != svid.spiffe_id:
            raise IdentityError(f"the marketplace issued an SVID for {renewed.spiffe_id}")
        store(self._folder, renewed.key_pem, chain_pem, bundle_pem)
        self._take(renewed)

    def _life(self) -> tuple[float, float]:
        assert self._svid is not None  # `_open` came first
        return self._svid.leaf.not_before_s, self._svid.not_after_s


def certificate_request(key: ec.EllipticCurvePrivateKey, spiffe_id: str = "") -> bytes:
    """A CSR as PEM; at the first contact the marketplace alone knows the SPIFFE ID."""
    request = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([]))
    if spiffe_id:
        names = x509.SubjectAlternativeName([x509.UniformResourceIdentifier(spiffe_id)])
        request = request.add_extension(names, critical=True)
    return request.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)


def private_pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )


def store(folder: Path, key_pem: bytes, chain_pem: bytes, bundle_pem: bytes) -> None:
    """Writes an SVID; a crash leaves the old one or the new one, as key and chain share a file."""
    replace_file(folder / BUNDLE_FILE, bundle_pem)
    replace_file(folder / SVID_FILE, key_pem + chain_pem)


def read_stored(folder: Path) -> Svid:
    """Reads what `store` wrote. Raises IdentityError."""
    path = folder / SVID_FILE
    try:
        if path.stat().st_mode & 0o077:
            raise IdentityError(f"others can read {path}", hint=f"chmod 600 {path}")
        pem = path.read_bytes()
        authorities = read_bundle((folder / BUNDLE_FILE).read_bytes())
    except OSError as error:
        raise IdentityError(
            f"cannot read {error.filename}: {error.strerror}",
            hint="run `swarm-node enroll` with a token of your consortium",
        ) from error
    start = pem.find(b"-----BEGIN CERTIFICATE-----")
    return Svid.from_pem(pem[start:], pem[:start], authorities)
