"""Software leases: verified offline, renewed at half of their life, given back when not needed.

A lease is `<payload>.<signature>`, both base64url without padding; the payload is JSON, `{"v": 1,
"id", "organization", "node", "features", "issued", "expires", "grace"}` with times in unix seconds,
and the signature is Ed25519 over the first part as it stands. For `grace` seconds after its end it
still serves, so that a marketplace that is away stops nobody.

A lease is needed to join a run; a run that was joined goes on without one. Two files lie beside
it: `lease.clock` with the highest time ever seen, by which a clock that was set back is found out,
and `lease.returned` while the marketplace does not know yet that a lease was given back.
"""

from __future__ import annotations

import base64
import binascii
import json
import logging
import os
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
CLOCK_TOLERANCE_S = 300  # clocks differ
_CLOCK_STEP_S = 60  # between two times that are written down
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
    grace_s: int = 0

    def check(self, node: str, now_s: float, feature: str = TRAINING) -> None:
        """Raises LeaseError unless it is for this node, for that feature, and serves now."""
        if self.node != node:
            raise LeaseError(f"the lease is for {self.node}, not for {node}", hint=_ENROLL_AGAIN)
        if feature not in self.features:
            raise LeaseError(f"the lease does not cover {feature}", hint="ask your consortium")
        if now_s < self.issued_s - CLOCK_TOLERANCE_S:
            raise LeaseError(
                f"the lease begins in {round(self.issued_s - now_s)} s: this machine's clock is "
                "behind",
                hint="set the clock",
            )
        if now_s >= self.expires_s + self.grace_s:
            raise LeaseError(
                f"the lease expired {round(now_s - self.expires_s)} s ago", hint=_ENROLL_AGAIN
            )
        if now_s >= self.expires_s:
            log.warning(
                "the lease is over and serves for %d s more: is the marketplace within reach?",
                self.expires_s + self.grace_s - now_s,
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
            grace_s=int(fields.get("grace", 0)),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise LeaseError(f"the lease lacks a field: {error}", hint="update the agent") from error


def read(path: Path, key_path: Path) -> Lease:
    """Reads and verifies the lease that lies in the folder. Raises LeaseError."""
    return verify(_read_text(path), _read_text(key_path))


def usable(path: Path, key_path: Path, node: str, now_s: float, feature: str = TRAINING) -> Lease:
    """The lease in the folder, if the node may start something by it now.

    Raises LeaseError: see `Lease.check`; or the clock was set back.
    """
    lease = read(path, key_path)
    _see_time(path, now_s)
    lease.check(node, now_s, feature)
    return lease


def adopt(text: str, path: Path, key_path: Path) -> Lease:
    """Puts a lease into the folder, if it is one of this node's marketplace. Raises LeaseError."""
    lease = verify(text, _read_text(key_path))
    replace_file(path, text.strip().encode("ascii") + b"\n")
    return lease


async def give_back(
    path: Path, key_path: Path, tell: Callable[[str], Awaitable[None]]
) -> str | None:
    """Deletes the lease, then has the marketplace free its seat; goes on where it was killed.

    In this order: a seat that is free has no lease left that could be used.

    Args:
        path: of the lease.
        key_path: of the key that it is verified with.
        tell: tells the marketplace the lease's id. Raises MarketplaceError.

    Returns:
        The id; None if there was nothing to give back.
    """
    note = _beside(path, ".returned")
    identifier = _deleted(path, key_path, note)
    if identifier is not None:
        await tell(identifier)
        note.unlink()
    return identifier


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
            _see_time(path, clock())
        except LeaseError as error:
            log.warning("%s", error)
            return 0.0, 0.0
        return lease.issued_s, lease.expires_s

    async def renew() -> None:
        lease = adopt(await ask(), path, key_path)
        log.info("new lease, valid for %.1f h", (lease.expires_s - clock()) / 3600)

    await renew_at_half_life("the lease", life, renew, clock)


def _deleted(path: Path, key_path: Path, note: Path) -> str | None:
    """Deletes the lease and leaves its id in a note."""
    if not note.exists():
        if not path.exists():
            return None
        replace_file(note, read(path, key_path).id.encode("ascii"))
    path.unlink(missing_ok=True)
    _sync(path.parent)
    return note.read_text(encoding="ascii")


def _see_time(path: Path, now_s: float) -> None:
    """Keeps the highest time that was seen; refuses one that lies well before it."""
    file = _beside(path, ".clock")
    try:
        highest_s = float(file.read_text(encoding="ascii"))
    except (OSError, ValueError):
        highest_s = 0.0
    if now_s < highest_s - CLOCK_TOLERANCE_S:
        raise LeaseError(
            f"this machine's clock was set back: it has shown a time {round(highest_s - now_s)} s "
            "later than now",
            hint=f"set the clock; if it was wrong before, ask for a new lease and delete {file}",
        )
    if now_s > highest_s + _CLOCK_STEP_S:
        replace_file(file, f"{now_s:.0f}".encode("ascii"))


def _beside(path: Path, ending: str) -> Path:
    return path.with_name(path.name + ending)


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


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
