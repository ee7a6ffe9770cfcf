"""Software leases: verified offline, renewed at half of their life.

A lease is `<payload>.<signature>`, both base64url without padding; the payload is JSON, `{"v": 1,
"id", "organization", "node", "features", "issued", "expires"}` with times in unix seconds, and the
signature is Ed25519 over the first part as it stands.
"""

from __future__ import annotations

import base64
import binascii
import json
import logging
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from contracts.files import replace_file
from node_agent.errors import LeaseError
from node_agent.renewal import Clock, renew_at_half_life

log = logging.getLogger(__name__)

TRAINING = "training"
_ENROLL_AGAIN = "run `swarm-node enroll` on this folder again, or let the marketplace renew it"


@dataclass(frozen=True, slots=True)
class Lease:
    """The right of one node to run the software for a while."""

    id: str
    organization: str
    node: str  # SPIFFE ID
    features: tuple[str, ...]
    issued_s: int
    expires_s: int

    def check(self, node: str, now_s: float, feature: str = TRAINING) -> None:
        """Raises LeaseError unless it is for this node, for that feature, and not over."""
        if self.node != node:
            raise LeaseError(f"the lease is for {self.node}, not for {node}", hint=_ENROLL_AGAIN)
        if feature not in self.features:
            raise LeaseError(f"the lease does not cover {feature}", hint="ask your consortium")
        if now_s >= self.expires_s:
            raise LeaseError(
                f"the lease expired {round(now_s - self.expires_s)} s ago", hint=_ENROLL_AGAIN
            )


def verify(text: str, key_hex: str) -> Lease:
    """Reads a lease that was signed with that key (32 bytes in hex); says nothing about its dates.

    Raises LeaseError.
    """
    payload, _, signature = text.strip().partition(".")
    try:
        key = Ed25519PublicKey.from_public_bytes(bytes.fromhex(key_hex.strip()))
        key.verify(_decode(signature), payload.encode("ascii"))
        fields = json.loads(_decode(payload))
    except (ValueError, binascii.Error, InvalidSignature) as error:
        raise LeaseError(
            "the lease is not one that this node's marketplace signed", hint=_ENROLL_AGAIN
        ) from error
    try:
        if fields["v"] != 1:
            raise LeaseError(
                f"the lease has version {fields['v']}, this agent knows 1", hint="update the agent"
            )
        return Lease(
            id=str(fields["id"]),
            organization=str(fields["organization"]),
            node=str(fields["node"]),
            features=tuple(str(each) for each in fields["features"]),
            issued_s=int(fields["issued"]),
            expires_s=int(fields["expires"]),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise LeaseError(f"the lease lacks a field: {error}", hint="update the agent") from error


def read(path: Path, key_path: Path) -> Lease:
    """Reads and verifies the lease that lies in the folder. Raises LeaseError."""
    return verify(_read_text(path), _read_text(key_path))


async def keep_fresh(
    path: Path, key_path: Path, ask: Callable[[], Awaitable[str]], *, clock: Clock = time.time
) -> None:
    """Renews the lease in its file until it is cancelled; one that is unusable, at once.

    A lease that cannot be had is logged, and no error: training does not end for want of it.

    Args:
        path: of the lease.
        key_path: of the key that it is verified with.
        ask: gets a new lease from the marketplace. Raises MarketplaceError.
        clock: the time.
    """

    def life() -> tuple[float, float]:
        try:
            lease = read(path, key_path)
        except LeaseError as error:
            log.warning("%s", error)
            return 0.0, 0.0
        return lease.issued_s, lease.expires_s

    async def renew() -> None:
        adopt(await ask())

    def adopt(text: str) -> None:
        expires_s = verify(text, _read_text(key_path)).expires_s
        replace_file(path, text.encode("ascii"))
        log.info("new lease, valid for %.1f h", (expires_s - clock()) / 3600)

    await renew_at_half_life("the lease", life, renew, clock)


def _read_text(path: Path) -> str:
    try:
        return path.read_text(encoding="ascii")
    except (OSError, UnicodeDecodeError) as error:
        raise LeaseError(
            f"cannot read the lease: {error}",
            hint="run `swarm-node enroll` with a token of your consortium",
        ) from error


def _decode(text: str) -> bytes:
    return base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
