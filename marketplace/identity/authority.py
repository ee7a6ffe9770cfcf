"""The built-in certificate authority: X.509-SVIDs for nodes, a certificate for the agent listener.

Of a certificate request only the public key counts; the name is decided here. What the request
asks for besides is ignored.
"""

from __future__ import annotations

import hashlib
import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from contracts.keys import read_private, write_private
from marketplace.errors import InvalidInput, SettingsError

CERTIFICATE_FILE = "ca.pem"
KEY_FILE = "ca.key"
_AUTHORITY_DAYS = 3650
# Certificates count from a little before they are made: clocks of sites differ.
_BACKDATED_S = 300
_CURVES = (ec.SECP256R1, ec.SECP384R1)
_LARGEST_CSR_BYTES = 16 * 1024


@dataclass(frozen=True, slots=True)
class Issued:
    """A certificate as issued to a node."""

    pem: str
    serial: str
    spiffe_id: str
    spki_hash: str  # SHA-256 of the public key's SubjectPublicKeyInfo
    issued_s: int
    expires_s: int


class Authority:
    """An ECDSA P-256 key and the self-signed certificate over it."""

    def __init__(self, certificate: x509.Certificate, key: ec.EllipticCurvePrivateKey) -> None:
        self._certificate = certificate
        self._key = key
        self.bundle_pem = _pem(certificate)
        self.trust_domain = _trust_domain_of(certificate)

    @property
    def fingerprint(self) -> str:
        """SHA-256 of the CA certificate in DER, 64 hexadecimal digits: nodes pin it."""
        return self._certificate.fingerprint(hashes.SHA256()).hex()

    def issue_svid(self, csr_pem: str, spiffe_id: str, now_s: int, lifetime_s: int) -> Issued:
        """Issues an X.509-SVID for exactly one SPIFFE ID.

        Args:
            csr_pem: a PKCS#10 request signed with the key that it names.
            spiffe_id: the only name in the certificate, whatever the request asks for.
            now_s: unix time.
            lifetime_s: how long it is valid from now.

        Raises:
            InvalidInput: the request is malformed, not signed by its own key, or the key is not
                ECDSA P-256 or P-384.
        """
        key = requested_key(csr_pem)
        usage = [ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]
        certificate = self._leaf(
            key, [x509.UniformResourceIdentifier(spiffe_id)], usage, now_s, lifetime_s
        )
        return Issued(
            pem=_pem(certificate),
            serial=f"{certificate.serial_number:x}",
            spiffe_id=spiffe_id,
            spki_hash=hashlib.sha256(_spki(key)).hexdigest(),
            issued_s=now_s,
            expires_s=now_s + lifetime_s,
        )

    def issue_server(self, names: Sequence[str], now_s: int, lifetime_s: int) -> tuple[str, str]:
        """Issues a certificate for a TLS server and makes a key for it.

        Args:
            names: DNS names and IP addresses that it is reached by.

        Returns:
            The chain, leaf first and the CA's certificate last, and the key; both PEM.
        """
        key = ec.generate_private_key(ec.SECP256R1())
        usage = [ExtendedKeyUsageOID.SERVER_AUTH]
        certificate = self._leaf(
            key.public_key(), [_general_name(each) for each in names], usage, now_s, lifetime_s
        )
        return _pem(certificate) + self.bundle_pem, _key_pem(key)

    def _leaf(
        self,
        key: ec.EllipticCurvePublicKey,
        names: Sequence[x509.GeneralName],
        usage: Sequence[x509.ObjectIdentifier],
        now_s: int,
        lifetime_s: int,
    ) -> x509.Certificate:
        builder = (
            x509.CertificateBuilder()
            .subject_name(x509.Name([]))
            .issuer_name(self._certificate.subject)
            .public_key(key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(_time(now_s - _BACKDATED_S))
            .not_valid_after(_time(now_s + lifetime_s))
            # Critical, as the subject is empty (RFC 5280, 4.2.1.6).
            .add_extension(x509.SubjectAlternativeName(names), critical=True)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(_key_usage(digital_signature=True), critical=True)
            .add_extension(x509.ExtendedKeyUsage(usage), critical=False)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key()),
                critical=False,
            )
        )
        return builder.sign(self._key, hashes.SHA256())


def create(folder: Path, trust_domain: str, now_s: int) -> Authority:
    """Makes a CA and writes `ca.pem` and `ca.key` (0600) to the folder.

    Raises:
        KeyFileError: there is a CA already; it is never overwritten.
    """
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"swarm marketplace {trust_domain}")])
    public = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(_time(now_s - _BACKDATED_S))
        .not_valid_after(_time(now_s) + timedelta(days=_AUTHORITY_DAYS))
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_key_usage(key_cert_sign=True, crl_sign=True), critical=True)
        .add_extension(public, critical=False)
        .add_extension(
            x509.SubjectAlternativeName(
                [x509.UniformResourceIdentifier(f"spiffe://{trust_domain}")]
            ),
            critical=False,
        )
        .sign(key, hashes.SHA256())
    )
    write_private(folder / KEY_FILE, _key_pem(key))
    (folder / CERTIFICATE_FILE).write_text(_pem(certificate), encoding="ascii")
    return Authority(certificate, key)


def load(folder: Path) -> Authority:
    """Reads what `create` wrote.

    Raises:
        KeyFileError: the key is missing, or others may read it.
        SettingsError: the certificate is missing, or not that of the key.
    """
    file = folder / CERTIFICATE_FILE
    try:
        certificate = x509.load_pem_x509_certificate(file.read_bytes())
        key = serialization.load_pem_private_key(read_private(folder / KEY_FILE).encode(), None)
    except (OSError, ValueError) as error:
        raise SettingsError(
            f"the certificate authority in {folder} cannot be read: {error}",
            hint=f"restore {CERTIFICATE_FILE} and {KEY_FILE}; nodes pin this certificate",
        ) from error
    if (
        not isinstance(key, ec.EllipticCurvePrivateKey)
        or key.public_key() != certificate.public_key()
    ):
        raise SettingsError(f"{KEY_FILE} in {folder} is not the key of {CERTIFICATE_FILE}")
    return Authority(certificate, key)


def requested_key(csr_pem: str) -> ec.EllipticCurvePublicKey:
    """The public key of a certificate request, if it is fit for an SVID."""
    hint = "a PKCS#10 request in PEM, for an ECDSA key on P-256 or P-384"
    if len(csr_pem) > _LARGEST_CSR_BYTES:
        raise InvalidInput("the certificate request is too long", hint=hint)
    try:
        request = x509.load_pem_x509_csr(csr_pem.encode("ascii"))
        key = request.public_key()
        if not isinstance(key, ec.EllipticCurvePublicKey) or not isinstance(key.curve, _CURVES):
            raise InvalidInput("the certificate request is for another kind of key", hint=hint)
        signed = request.is_signature_valid
    except (ValueError, InvalidSignature, UnsupportedAlgorithm) as error:
        raise InvalidInput("the certificate request cannot be read", hint=hint) from error
    if not signed:
        raise InvalidInput("the certificate request is not signed by the key that it names")
    return key


def requested_uris(csr_pem: str) -> list[str]:
    """The URIs that a certificate request asks for."""
    request = x509.load_pem_x509_csr(csr_pem.encode("ascii"))
    try:
        names = request.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except (x509.ExtensionNotFound, ValueError):
        return []
    return names.get_values_for_type(x509.UniformResourceIdentifier)


def _trust_domain_of(certificate: x509.Certificate) -> str:
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    return names.get_values_for_type(x509.UniformResourceIdentifier)[0].removeprefix("spiffe://")


def _key_usage(**on: bool) -> x509.KeyUsage:
    off = dict.fromkeys(
        (
            "digital_signature",
            "content_commitment",
            "key_encipherment",
            "data_encipherment",
            "key_agreement",
            "key_cert_sign",
            "crl_sign",
            "encipher_only",
            "decipher_only",
        ),
        False,
    )
    return x509.KeyUsage(**(off | on))


def _general_name(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _spki(key: ec.EllipticCurvePublicKey) -> bytes:
    return key.public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )


def _pem(certificate: x509.Certificate) -> str:
    return certificate.public_bytes(serialization.Encoding.PEM).decode("ascii")


def _key_pem(key: ec.EllipticCurvePrivateKey) -> str:
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    ).decode("ascii")


def _time(unix_s: int) -> datetime:
    return datetime.fromtimestamp(unix_s, UTC)
