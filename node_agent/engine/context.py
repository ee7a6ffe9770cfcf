"""What is fixed when a round opens: the members, the base model, the rules."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property

from contracts.messages import Domain, Terms
from metering.vesting import vested_wei
from node_agent.peers.protocol import Peer

METERING_EQUAL, METERING_SIZE, METERING_COMMON = 0, 1, 2


@dataclass(frozen=True)
class RoundContext:
    """One round as the chain opened it; everything signed in it carries ``prev``."""

    run_id: bytes
    name: str
    agreement: bytes
    domain: Domain
    terms: Terms
    round: int
    prev: bytes
    base_root: bytes
    """BLAKE3 of the parameters the round starts from: the last merged model, or the initial one."""
    members: tuple[Peer, ...]
    """The nodes counted in the round, ordered by SPIFFE ID: the order of every merge."""
    weights: Mapping[int, int]
    """Party number to relative weight, from the agreement."""
    quorum: int
    """Organizations that must sign a seal, as the contract counts them."""
    funded_wei: int
    credited_wei: int
    initial_loss_e9: int
    """L0; zero until round 0 is sealed."""
    best_loss_e9: int

    @cached_property
    def by_registration(self) -> dict[int, Peer]:
        """Members by registration number."""
        return {peer.registration: peer for peer in self.members}

    @cached_property
    def organizations(self) -> int:
        """A: the organizations that are counted in the round."""
        return len({peer.party for peer in self.members})

    @cached_property
    def majority(self) -> int:
        """More than half of the organizations that are counted."""
        return self.organizations // 2 + 1

    def creditable_wei(self, gain_e9: int) -> int:
        """What a seal that reaches this gain would divide."""
        if self.round == 0:
            return 0
        span_e9 = self.initial_loss_e9 - self.terms.target_loss
        return vested_wei(self.funded_wei, gain_e9, span_e9) - self.credited_wei

    @property
    def prev_hex(self) -> str:
        """``prev`` as it stands in headers and messages."""
        return "0x" + self.prev.hex()

    @property
    def run_hex(self) -> str:
        """``run_id`` as it stands in headers and messages."""
        return "0x" + self.run_id.hex()

    def parties_of(self, registrations: Iterable[int]) -> set[int]:
        """The distinct organizations behind some registrations; strangers do not count."""
        known = self.by_registration
        return {known[number].party for number in registrations if number in known}
