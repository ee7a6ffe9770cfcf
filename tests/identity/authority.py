"""A certificate authority for tests: issues SVIDs of any name, age and key, also wrong ones."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from datetime import UTC, datetime

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

TRUST_DOMAIN = "consortium.example"


def new_tls_key() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


def key_pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )


def key_der(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.DER,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )


@dataclass
class Issued:
    """A certificate with its key."""

    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey
    chain_pem: bytes
    key_pem: bytes


@dataclass
class Authority:
    """One self-signed CA."""

    trust_domain: str = TRUST_DOMAIN
    key: ec.EllipticCurvePrivateKey = field(default_factory=new_tls_key)
    certificate: x509.Certificate = field(init=False)

    def __post_init__(self) -> None:
        name = x509.Name(
            [x509.NameAttribute(NameOID.ORGANIZATION_NAME, f"CA of {self.trust_domain}")]
        )
        now_s = time.time()
        self.certificate = (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(name)
            .public_key(self.key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(_date(now_s - 86_400 * 30))
            .not_valid_after(_date(now_s + 86_400 * 30))
            .add_extension(
                x509.SubjectAlternativeName(
                    [x509.UniformResourceIdentifier(f"spiffe://{self.trust_domain}")]
                ),
                critical=False,
            )
            .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
            .add_extension(_usage(sign_certificates=True), critical=True)
            .add_extension(
                x509.SubjectKeyIdentifier.from_public_key(self.key.public_key()), critical=False
            )
            .sign(self.key, hashes.SHA256())
        )

    @property
    def pem(self) -> bytes:
        return self.certificate.public_bytes(serialization.Encoding.PEM)

    @property
    def der(self) -> bytes:
        return self.certificate.public_bytes(serialization.Encoding.DER)

    def issue(
        self,
        spiffe_id: str | None,
        *,
        ttl_s: float = 3600,
        age_s: float = 60,
        public_key: ec.EllipticCurvePublicKey | None = None,
        names: tuple[x509.GeneralName, ...] = (),
    ) -> Issued:
        """An SVID that began `age_s` ago and ends in `ttl_s` (negative: is over).

        `public_key`: of a certificate request; the key that is returned is another one then.
        """
        key = new_tls_key()
        now_s = time.time()
        alternatives = [x509.UniformResourceIdentifier(spiffe_id)] if spiffe_id else []
        certificate = (
            x509.CertificateBuilder()
            .subject_name(x509.Name([]))
            .issuer_name(self.certificate.subject)
            .public_key(public_key or key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(_date(now_s - age_s))
            .not_valid_after(_date(now_s + ttl_s))
            .add_extension(x509.SubjectAlternativeName([*alternatives, *names]), critical=True)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(_usage(sign_certificates=False), critical=True)
            .add_extension(
                x509.ExtendedKeyUsage(
                    [ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]
                ),
                critical=False,
            )
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_public_key(self.key.public_key()),
                critical=False,
            )
            .sign(self.key, hashes.SHA256())
        )
        return Issued(
            certificate, key, certificate.public_bytes(serialization.Encoding.PEM), key_pem(key)
        )


def _date(at_s: float) -> datetime:
    return datetime.fromtimestamp(at_s, UTC)


def _usage(*, sign_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not sign_certificates,
        key_cert_sign=sign_certificates,
        crl_sign=sign_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )
