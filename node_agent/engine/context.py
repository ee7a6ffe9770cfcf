"""What is fixed when a round opens: the members, the base model, the rules."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property

from contracts.messages import Attestation, Domain, Terms
from metering.vesting import vested_per_round_wei, vested_wei
from node_agent.engine.rhythm import batches
from node_agent.peers.protocol import Peer

METERING_EQUAL, METERING_SIZE, METERING_COMMON, METERING_LOCAL = 0, 1, 2, 3
STOPPING_LOWEST_METRIC, STOPPING_HIGHEST_METRIC = 1, 2
BUDGET_PER_ROUND = 1
NO_DATA_E9 = 2**64 - 1
"""What a site without validation data says for its losses under `local`."""


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
    last_loss_e9: int = 0
    """Of the last seal; zero under local metering."""
    paid_rounds: int = 0
    """Rounds settled by now with a row that is not void."""

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

    @property
    def local(self) -> bool:
        """Does every organization measure on its own data, and sign a row of its own?"""
        return self.terms.metering == METERING_LOCAL

    def batches(self, sealed: Attestation | None = None) -> int:
        """How many batches to train in this round, or in the next one once this is sealed."""
        loss_e9 = self.last_loss_e9
        if sealed is not None:
            # Rows of local metering are each node's own, and decide nothing for all.
            loss_e9 = 0 if self.local else sealed.loss_after
        return batches(self.terms.sync_frequency, self.initial_loss_e9, loss_e9)

    def creditable_wei(self, gain_e9: int) -> int:
        """What a seal with a row that reaches this gain would divide."""
        span_e9 = self.initial_loss_e9 - self.terms.target_loss
        if self.round == 0 or span_e9 <= 0:
            return 0
        if self.terms.budget_rule == BUDGET_PER_ROUND:
            paid = self.paid_rounds + 1
            vested = vested_per_round_wei(self.funded_wei, paid, self.terms.max_rounds)
        else:
            vested = vested_wei(self.funded_wei, gain_e9, span_e9)
        return vested - self.credited_wei

    def at_target(self, attestation: Attestation) -> bool:
        """Whether what is attested is at the target, as the contract sees it."""
        if self.local and attestation.loss_after == NO_DATA_E9:
            return False
        if self.terms.stopping == STOPPING_LOWEST_METRIC:
            return attestation.metric <= self.terms.target_metric
        if self.terms.stopping == STOPPING_HIGHEST_METRIC:
            return attestation.metric >= self.terms.target_metric
        return attestation.loss_after <= self.terms.target_loss

    def measured(self, attestation: Attestation, *, own: bool) -> bool:
        """Does an attestation hold numbers of this node? Under `local` only what it signed may."""
        return not self.local or (own and attestation.loss_after != NO_DATA_E9)

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
