"""Secrets that are shown once: session tokens, enrollment tokens. Only their hashes are stored."""

from __future__ import annotations

import base64
import hashlib
import json
import secrets

_SECRET_BYTES = 32
_ID_BYTES = 8


def new_secret() -> str:
    """43 characters of base64url: 256 random bits, so that a plain hash protects it well enough."""
    return secrets.token_urlsafe(_SECRET_BYTES)


def new_id() -> str:
    """16 hexadecimal digits: a name, not a secret."""
    return secrets.token_hex(_ID_BYTES)


def hash_secret(secret: str) -> str:
    """SHA-256, 64 hexadecimal digits."""
    return hashlib.sha256(secret.encode()).hexdigest()


def enrollment_token(url: str, ca_fingerprint: str, secret: str) -> str:
    """What an operator hands to `swarm-node enroll`: where to go, whom to trust, the secret."""
    fields = {"v": 1, "url": url, "ca": ca_fingerprint, "secret": secret}
    text = json.dumps(fields, separators=(",", ":"))
    return base64.urlsafe_b64encode(text.encode()).rstrip(b"=").decode("ascii")
