"""Which versions of the peers' protocol a node speaks, and which one a pair of nodes uses.

Every request and answer says the range that its sender speaks; a request also says which version it
is written in: the highest one that both speak, as far as the sender knows the receiver. Who is
written to in one that he does not speak says so (426), and is written to again. So nodes are
upgraded one after the other while the run goes on. docs/protocol.md has what a version covers.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping
from dataclasses import dataclass

from node_agent.errors import PeerError
from node_agent.peers.protocol import Reason

log = logging.getLogger(__name__)

USED_HEADER = "Swarm-Protocol"
RANGE_HEADER = "Swarm-Protocol-Range"
LINES = 2  # the first version with lines, and with files that are waited for


@dataclass(frozen=True, slots=True)
class Versions:
    """All versions from ``lowest`` to ``highest``."""

    lowest: int
    highest: int

    def __str__(self) -> str:
        return f"{self.lowest}-{self.highest}"

    def __contains__(self, version: int) -> bool:
        return self.lowest <= version <= self.highest

    def common(self, other: Versions) -> int | None:
        """The highest one in both; None when there is none."""
        highest = min(self.highest, other.highest)
        return highest if highest in self and highest in other else None

    @classmethod
    def said(cls, headers: Mapping[str, str]) -> Versions:
        """What the other side speaks; who says nothing is older than ranges. Raises ValueError."""
        text = headers.get(RANGE_HEADER)
        if text is None:
            return cls(1, 1)
        matched = re.fullmatch(r"([1-9]\d{0,3})-([1-9]\d{0,3})", text)
        if matched is None or int(matched[1]) > int(matched[2]):
            raise ValueError(f"{text[:20]!r} is no range of versions")
        return cls(int(matched[1]), int(matched[2]))


SPOKEN = Versions(1, LINES)
"""By this release. The lowest may go up one release after all nodes can speak more."""


def used(headers: Mapping[str, str]) -> int:
    """The version that a request is written in. Raises ValueError."""
    text = headers.get(USED_HEADER, "1")
    if not re.fullmatch(r"[1-9]\d{0,3}", text):
        raise ValueError(f"{text[:20]!r} is no version")
    return int(text)


class Spoken:
    """What this node speaks, and what it has heard of the others, by SPIFFE ID."""

    def __init__(self, own: Versions = SPOKEN) -> None:
        self.own = own
        self.others: dict[str, Versions] = {}

    def headers(self, version: int | None = None) -> dict[str, str]:
        """What a request in that version, or an answer, says of its sender."""
        said = {RANGE_HEADER: str(self.own)}
        return said if version is None else {USED_HEADER: str(version), **said}

    def heard(self, spiffe_id: str, versions: Versions) -> None:
        """Remember what a peer speaks; the log says it once when that is of no use."""
        if self.others.get(spiffe_id) == versions:
            return
        self.others[spiffe_id] = versions
        if self.own.common(versions) is None:
            error = self.mismatch(spiffe_id)
            log.warning("%s: %s", error, error.hint)

    def with_peer(self, spiffe_id: str) -> int:
        """The version to write to a peer in: without better knowledge, our highest."""
        known = self.others.get(spiffe_id, self.own)
        return self.own.common(known) or self.own.highest

    def understands(self, spiffe_id: str) -> bool:
        """Is there a version in common, as far as is known?"""
        return self.own.common(self.others.get(spiffe_id, self.own)) is not None

    def mismatch(self, spiffe_id: str) -> PeerError:
        """Says that there is none, and who has to be upgraded."""
        theirs = self.others[spiffe_id]
        older = spiffe_id if theirs.highest < self.own.lowest else "this node"
        return PeerError(
            f"this node speaks versions {self.own} of the peers' protocol, {spiffe_id} {theirs}",
            reason=Reason.VERSION,
            hint=f"upgrade swarm-node at {older}: it is the older one",
        )


def refusal(own: Versions, caller: str, theirs: Versions) -> tuple[str, str]:
    """What a listener answers when there is no common version: detail and hint."""
    older = caller if theirs.highest < own.lowest else "the node that you called"
    return (
        f"this node speaks versions {own} of the peers' protocol, {caller} {theirs}",
        f"upgrade swarm-node at {older}: it is the older one",
    )
