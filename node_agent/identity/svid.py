"""X.509-SVIDs: what they say, and whether they may be used."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization

from node_agent.errors import IdentityError

# SPIFFE-ID 2.1 to 2.3: lower-case trust domain; path segments of these characters, never "." or
# "..".
_SPIFFE_ID = re.compile(r"spiffe://([a-z0-9._-]{1,255})((?:/[a-zA-Z0-9._-]+)*)")
_SPIFFE_ID_LIMIT_BYTES = 2048


def trust_domain_of(spiffe_id: str) -> str:
    """The trust domain of a SPIFFE ID, "consortium.example". Raises IdentityError if it is none."""
    match = _SPIFFE_ID.fullmatch(spiffe_id)
    if (
        match is None
        or len(spiffe_id) > _SPIFFE_ID_LIMIT_BYTES
        or {".", ".."} & set(match[2].split("/"))
    ):
        raise IdentityError(f"not a SPIFFE ID: {spiffe_id[:100]!r}")
    return match[1]


@dataclass(frozen=True, slots=True)
class Leaf:
    """What a leaf certificate says about its holder."""

    spiffe_id: str
    trust_domain: str
    spki_hash: bytes  # SHA-256 of SubjectPublicKeyInfo, DER
    not_before_s: float
    not_after_s: float


def read_leaf(certificate: x509.Certificate) -> Leaf:
    """Reads a leaf by the rules of the X509-SVID standard: exactly one URI, and not a CA.

    Raises IdentityError.
    """
    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        raise IdentityError("the certificate has no SPIFFE ID") from None
    except ValueError as error:
        raise IdentityError(f"the certificate is malformed: {error}") from error
    uris = names.get_values_for_type(x509.UniformResourceIdentifier)
    if len(uris) != 1:
        raise IdentityError(f"the certificate has {len(uris)} URIs, an SVID has exactly one")
    try:
        basic = certificate.extensions.get_extension_for_class(x509.BasicConstraints).value
    except x509.ExtensionNotFound:
        basic = None
    if basic is not None and basic.ca:
        raise IdentityError(f"the certificate of {uris[0]} is that of an authority, not of a node")
    return Leaf(
        spiffe_id=uris[0],
        trust_domain=trust_domain_of(uris[0]),
        spki_hash=spki_hash(certificate),
        not_before_s=certificate.not_valid_before_utc.timestamp(),
        not_after_s=certificate.not_valid_after_utc.timestamp(),
    )


def spki_hash(certificate: x509.Certificate) -> bytes:
    """SHA-256 of the SubjectPublicKeyInfo in DER: names the TLS key, whoever certifies it."""
    spki = certificate.public_key().public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    return hashlib.sha256(spki).digest()


@dataclass(frozen=True, slots=True)
class Svid:
    """A node's certificate chain with its private key, and whom it trusts.

    `bundles` maps each trust domain to the DER of its authorities: a certificate is judged by those
    of its own trust domain only.
    """

    leaf: Leaf
    serial: int
    chain_pem: bytes  # leaf first
    key_pem: bytes = field(repr=False)
    bundles: Mapping[str, tuple[bytes, ...]]

    @property
    def spiffe_id(self) -> str:
        return self.leaf.spiffe_id

    @property
    def not_after_s(self) -> float:
        return self.leaf.not_after_s

    @classmethod
    def from_pem(
        cls,
        chain_pem: bytes,
        key_pem: bytes,
        authorities: tuple[bytes, ...],
        federated: Mapping[str, tuple[bytes, ...]] = MappingProxyType({}),
    ) -> Svid:
        """Puts together what belongs together, and checks that it does; not whether it is valid.

        `authorities` are those of the leaf's own trust domain, `federated` those of others. Raises
        IdentityError.
        """
        try:
            certificate = x509.load_pem_x509_certificates(chain_pem)[0]
        except ValueError as error:
            raise IdentityError(f"the certificate chain is not PEM: {error}") from error
        try:
            key = serialization.load_pem_private_key(key_pem, password=None)
        except (ValueError, TypeError, UnsupportedAlgorithm) as error:
            raise IdentityError(f"the private key is not unencrypted PEM: {error}") from error
        if key.public_key() != certificate.public_key():
            raise IdentityError("the private key is not that of the certificate")
        leaf = read_leaf(certificate)
        bundles = MappingProxyType({**federated, leaf.trust_domain: authorities})
        return cls(leaf, certificate.serial_number, chain_pem, key_pem, bundles)


def read_bundle(pem: bytes) -> tuple[bytes, ...]:
    """The authorities in a PEM bundle, as DER. Raises IdentityError when there are none."""
    try:
        certificates = x509.load_pem_x509_certificates(pem)
    except ValueError as error:
        raise IdentityError(f"the bundle holds no PEM certificates: {error}") from error
    return tuple(each.public_bytes(serialization.Encoding.DER) for each in certificates)
