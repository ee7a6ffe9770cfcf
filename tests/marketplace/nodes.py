"""A node as the marketplace sees it: a key, a TLS key, and requests to the agent listener."""

from __future__ import annotations

import base64
import hashlib
import json
import ssl
import tempfile
from pathlib import Path
from typing import Any

import httpx
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from contracts.keys import Signer, new_key
from contracts.messages import Domain, Enrollment, from_json, sign


class Node:
    """Does what `swarm-node enroll` does, and nothing more."""

    def __init__(self, token: str) -> None:
        padded = token + "=" * (-len(token) % 4)
        self.token: dict[str, Any] = json.loads(base64.urlsafe_b64decode(padded))
        self.key: Signer = new_key()
        self.tls_key = ec.generate_private_key(ec.SECP256R1())
        self.csr_pem = request(self.tls_key)
        self.ca_pem = self._pinned_ca()
        self.answer: dict[str, Any] = {}

    @property
    def url(self) -> str:
        return str(self.token["url"])

    def _pinned_ca(self) -> str:
        # Not verified: the hash in the token says whether it is the right one.
        pem = httpx.get(f"{self.url}/agents/v1/ca", verify=False, trust_env=False).text
        found = hashlib.sha256(ssl.PEM_cert_to_DER_cert(pem)).hexdigest()
        assert found == self.token["ca"]
        return pem

    def first_contact(self, **changes: Any) -> httpx.Response:
        body = {
            "secret": self.token["secret"],
            "csr_pem": self.csr_pem,
            "key": self.key.address,
            "url": "https://node.example:7443",
            "may_lead": True,
        }
        with self.client() as client:
            response = client.post("/agents/v1/enroll", json=body | changes)
        if response.is_success:
            self.answer = response.json()
        return response

    def sign(self, signer: Signer | None = None) -> httpx.Response:
        """Step two, with the node's own key by default."""
        enrollment = self.answer["enrollment"]
        deployment = self.answer["deployment"]
        domain = Domain(deployment["chain_id"], deployment["consortium"])
        message = from_json(Enrollment, enrollment["message"])
        signature = sign(domain, message, signer or self.key)
        with self.client() as client:
            return client.post(
                f"/agents/v1/enrollments/{enrollment['id']}/key-signature",
                json={"signature": "0x" + signature.hex()},
            )

    def post(self, path: str, body: dict[str, Any], svid_pem: str = "") -> httpx.Response:
        """A request over mutual TLS, with the SVID from enrollment by default."""
        with self.client(svid_pem or self.answer["svid_pem"]) as client:
            return client.post(path, json=body)

    def client(self, svid_pem: str = "") -> httpx.Client:
        context = ssl.create_default_context(cadata=self.ca_pem)
        if svid_pem:
            with tempfile.TemporaryDirectory() as folder:
                file = Path(folder) / "svid.pem"
                file.write_text(private_pem(self.tls_key) + svid_pem)
                context.load_cert_chain(file)
        return httpx.Client(base_url=self.url, verify=context, trust_env=False, timeout=30)


def request(key: ec.EllipticCurvePrivateKey, uri: str = "") -> str:
    """A certificate request, with or without a name of its own choice."""
    builder = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([]))
    if uri:
        names = x509.SubjectAlternativeName([x509.UniformResourceIdentifier(uri)])
        builder = builder.add_extension(names, critical=False)
    return pem(builder.sign(key, hashes.SHA256()))


def pem(csr: x509.CertificateSigningRequest) -> str:
    return csr.public_bytes(serialization.Encoding.PEM).decode()


def private_pem(key: ec.EllipticCurvePrivateKey) -> str:
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    ).decode()
