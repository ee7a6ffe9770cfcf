"""Software leases: the marketplace's signed word that a node may run the software for a while.

A lease is `<payload>.<signature>`, both base64url without padding. The payload is JSON in UTF-8:
`{"v": 1, "id", "organization", "node": SPIFFE ID, "features": […], "issued", "expires", "grace"}`,
times in unix seconds; `grace` is for how many seconds more it may be used while the marketplace
cannot be reached. The signature is Ed25519 over the ASCII bytes of the first part as it stands, so
that nobody has to write JSON the same way twice. Nodes get the public key when they enroll.
"""

from __future__ import annotations

import base64
import binascii
import json
from dataclasses import dataclass
from pathlib import Path

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from contracts.errors import KeyFileError
from contracts.keys import read_private, write_private
from marketplace.errors import InvalidInput

KEY_FILE = "lease.key"
TRAINING = "training"


@dataclass(frozen=True, slots=True)
class Lease:
    """What a lease says."""

    id: str
    organization: str
    node: str
    features: tuple[str, ...]
    issued_s: int
    expires_s: int
    grace_s: int = 0


class LeaseSigner:
    """Holds the lease key."""

    def __init__(self, key: Ed25519PrivateKey) -> None:
        self._key = key

    @property
    def public_key(self) -> str:
        """32 bytes as 64 hexadecimal digits."""
        return self._key.public_key().public_bytes_raw().hex()

    def sign(self, lease: Lease) -> str:
        payload = {
            "v": 1,
            "id": lease.id,
            "organization": lease.organization,
            "node": lease.node,
            "features": list(lease.features),
            "issued": lease.issued_s,
            "expires": lease.expires_s,
            "grace": lease.grace_s,
        }
        text = _encode(json.dumps(payload, separators=(",", ":")).encode())
        return f"{text}.{_encode(self._key.sign(text.encode('ascii')))}"


def create(folder: Path) -> LeaseSigner:
    """Makes a lease key and writes it, 64 hexadecimal digits readable by the owner only."""
    key = Ed25519PrivateKey.generate()
    write_private(folder / KEY_FILE, key.private_bytes_raw().hex() + "\n")
    return LeaseSigner(key)


def load(folder: Path) -> LeaseSigner:
    """Reads what `create` wrote.

    Raises:
        KeyFileError: missing, readable by others, or not a key.
    """
    file = folder / KEY_FILE
    try:
        return LeaseSigner(Ed25519PrivateKey.from_private_bytes(bytes.fromhex(read_private(file))))
    except ValueError as error:
        raise KeyFileError(f"{file} is not a lease key") from error


def verify(text: str, public_key: str) -> Lease:
    """Reads a lease that was signed with the key; whether it is over is for the caller to say.

    Raises:
        InvalidInput: malformed, or signed with another key.
    """
    payload, _, signature = text.partition(".")
    try:
        key = Ed25519PublicKey.from_public_bytes(bytes.fromhex(public_key))
        key.verify(_decode(signature), payload.encode("ascii"))
        fields = json.loads(_decode(payload))
    except (ValueError, binascii.Error, InvalidSignature) as error:
        raise InvalidInput("not a lease that this marketplace signed") from error
    return Lease(
        id=fields["id"],
        organization=fields["organization"],
        node=fields["node"],
        features=tuple(fields["features"]),
        issued_s=fields["issued"],
        expires_s=fields["expires"],
        grace_s=fields["grace"],
    )


def _encode(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode("ascii")


def _decode(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
