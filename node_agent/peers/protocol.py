"""What the engine and the transport know of each other: values that travel, and interfaces."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from node_agent.errors import MessageRefused

if TYPE_CHECKING:
    from contracts.messages import Domain

KINDS = frozenset({"ready", "update", "roster", "holdings", "attestation", "refusal", "sealed"})
MESSAGE_LIMIT_BYTES = 1 << 20  # of one message as JSON
HELD_LIMIT_BYTES = 16 << 20  # of one answer that lists all messages of a round
SIGNATURE_LIMIT_CHARS = 2 + 2 * 65


class Reason(StrEnum):
    """Why a peer failed us (`PeerError.reason`)."""

    UNREACHABLE = "unreachable"  # no connection, or it broke: try again later
    TIMEOUT = "timeout"  # it was too slow
    IDENTITY = "identity"  # wrong, expired, or unbound certificate, on either side
    REFUSED = "refused"  # it understood and said no: saying it again will not help
    NOT_FOUND = "not found"  # it does not have the file, or may not show it yet
    SIZE = "size"  # the file is longer or shorter than announced
    HASH = "hash"  # the file is not the one that was asked for
    VERSION = "version"  # it speaks another version of this protocol
    PROTOCOL = "protocol"  # its answer makes no sense


@dataclass(slots=True)
class Traffic:
    """What has passed between this node and its peers, before TLS."""

    sent_bytes: int = 0
    """Sent: bodies of messages and files."""
    served_bytes: int = 0
    """Of these, of files: updates and models."""
    fetched_bytes: int = 0
    """Received, of files; also of those that broke off or were the wrong ones."""


@dataclass(frozen=True, slots=True)
class Peer:
    """A node as the chain knows it."""

    registration: int
    party: int
    organization: str
    spiffe_id: str
    url: str  # empty: it accepts no inbound connections
    key: str  # checksummed address of the node key
    may_lead: bool

    @property
    def reachable(self) -> bool:
        """Has it an address? Otherwise it is spoken to over connections that it opened."""
        return bool(self.url)


@dataclass(frozen=True, slots=True)
class Envelope:
    """A signed message as it travels; `registration` is that of the signer, not the sender."""

    kind: str
    message: dict[str, Any]
    signature: str  # 0x-hex
    registration: int

    def to_json(self) -> dict[str, Any]:
        return {
            "kind": self.kind,
            "message": self.message,
            "signature": self.signature,
            "registration": self.registration,
        }

    @classmethod
    def from_json(cls, value: object) -> Envelope:
        """Checks the shape only: what it says, and who signed it, is the engine's to judge.

        Raises MessageRefused.
        """
        if not isinstance(value, Mapping) or set(value) != _ENVELOPE_KEYS:
            raise MessageRefused(
                f"a message is an object with the keys {', '.join(sorted(_ENVELOPE_KEYS))}"
            )
        kind, message, signature = value["kind"], value["message"], value["signature"]
        registration = value["registration"]
        if not isinstance(kind, str) or kind not in KINDS:
            raise MessageRefused(f"unknown kind of message: {str(kind)[:40]!r}")
        if not isinstance(message, dict):
            raise MessageRefused("the message is not an object")
        if not isinstance(signature, str) or not _is_hex(signature):
            raise MessageRefused("the signature is not 0x-hex of at most 65 bytes")
        if type(registration) is not int or not 0 <= registration < 1 << 16:
            raise MessageRefused("the registration is not a number of 16 bits")
        if message.get("registration", registration) != registration:
            raise MessageRefused("the message and its envelope name different registrations")
        return cls(kind, message, signature, registration)


_ENVELOPE_KEYS = frozenset({"kind", "message", "signature", "registration"})


def _is_hex(text: str) -> bool:
    if not text.startswith("0x") or len(text) > SIGNATURE_LIMIT_CHARS or len(text) % 2:
        return False
    return all(character in "0123456789abcdefABCDEF" for character in text[2:])


def encode(envelope: Envelope) -> bytes:
    """JSON as it goes over the wire, without whitespace."""
    return json.dumps(envelope.to_json(), separators=(",", ":")).encode()


class Inbox(Protocol):
    """The engine, as the server sees it. Only `receive` may take its time."""

    async def receive(self, sender: Peer, envelope: Envelope) -> None:
        """Takes a message that `sender` signed or relays. Raises MessageRefused(reason)."""

    def held(self, run: str, prev: str) -> Sequence[Envelope]:
        """All messages of that `prev` held here, own and others'; run and prev are 0x-hex."""

    def readable(self, root: str, reader: Peer) -> Path | None:
        """The file of that root (64 lower-case hex digits) if `reader` may read it by now."""

    async def awaited(self, root: str, reader: Peer, limit_s: float) -> Path | None:
        """As `readable`, but waits for a file that is on its way here, at most `limit_s`."""

    def status(self) -> Mapping[str, Any]:
        """What `GET /v1/status` answers: round, prev, state, … Quick: it is the sign of life."""


class Directory(Protocol):
    """Who may speak: the nodes enrolled on chain."""

    @property
    def agreement(self) -> bytes:
        """The agreement's id, 32 bytes."""

    @property
    def consortium(self) -> Domain:
        """EIP-712 domain of the Consortium contract, in which TLS keys are bound."""

    def by_spiffe_id(self, spiffe_id: str) -> Peer | None:
        """The node of exactly that name, if it is enrolled now."""

    def peers(self) -> Sequence[Peer]:
        """All nodes enrolled now, this one among them."""
