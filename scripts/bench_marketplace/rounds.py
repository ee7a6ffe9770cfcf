"""Rounds as the contracts would have raised them: the events of a seal, and of a claim.

Sealing thousands of rounds on a chain takes longer than anybody waits for a benchmark. So the
events are made here, by the contracts' own arithmetic, and then take the way that all events take:
`chain.records`, `chain.projections`. A test holds them to what a chain raises for the same rounds.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TypedDict

from contracts import events
from contracts.deployment import Deployment
from contracts.events import Event
from contracts.hashes import members_root, next_prev
from contracts.messages import Attestation, Terms, pack_rejects, pack_shares
from contracts.parties import party_set
from metering.vesting import credits_wei, initial_loss_e9, vested_wei

_NO_ROOT = bytes(32)


@dataclass(frozen=True, slots=True)
class BlockPlace:
    """A block in which one transaction is."""

    number: int
    hash: str
    time_s: int
    transaction: str


class _LogPlace(TypedDict):
    """Where an event stands, as every kind of event names it."""

    contract: str
    block: int
    block_hash: str
    log_index: int
    transaction: str


@dataclass(frozen=True, slots=True)
class SealedRound:
    """What the nodes agreed about a round."""

    loss_before_e9: int
    loss_after_e9: int
    metric_e9: int
    shares: Sequence[tuple[int, int]]  # (party, basis points)
    rejects: Sequence[tuple[int, int]]  # (registration, reason)
    signers: Sequence[int]  # registrations
    merged_root: bytes
    roster_root: bytes = _NO_ROOT


@dataclass
class OpenRun:
    """A run under common metering that pays by progress, as its contract keeps it."""

    deployment: Deployment
    id: bytes
    terms: Terms
    funded_wei: int
    snapshot_version: int
    snapshot_root: bytes
    parties: int
    prev: bytes
    round: int = 0
    initial_loss_e9: int = 0
    best_loss_e9: int = 0
    credited_wei: int = 0
    accrued_wei: dict[int, int] = field(default_factory=dict)  # by party, not claimed yet

    @property
    def active(self) -> int:
        """The set of all parties."""
        return party_set(range(self.parties))

    def seal(self, row: SealedRound, place: BlockPlace) -> list[Event]:
        """The events of sealing the open round, and of opening the next."""
        attestation = Attestation(
            run_id=self.id,
            round=self.round,
            prev=self.prev,
            term=0,
            roster_root=row.roster_root,
            merged_root=row.merged_root,
            loss_before=row.loss_before_e9,
            loss_after=row.loss_after_e9,
            metric=row.metric_e9,
            shares=pack_shares(row.shares),
            rejects=pack_rejects(row.rejects),
        )
        found: list[Event] = []
        vested, credited = self._credit(row)
        if credited:
            found.append(
                events.Credited(
                    **self._at(place, self.deployment.rewards, 0),
                    run_id=self.id,
                    vested=vested,
                    credited=credited,
                )
            )
        follows = next_prev(attestation, members_root(self.snapshot_root, self.active))
        found.append(
            events.Sealed(
                **self._at(place, self.deployment.training, len(found)),
                run_id=self.id,
                round=self.round,
                merged_root=row.merged_root,
                prev=self.prev,
                next=follows,
                term=0,
                roster_root=row.roster_root,
                loss_before=row.loss_before_e9,
                loss_after=row.loss_after_e9,
                metric=row.metric_e9,
                shares=attestation.shares,
                rejects=attestation.rejects,
                signers=tuple(row.signers),
                credited=credited,
            )
        )
        self.round, self.prev = self.round + 1, follows
        found.append(
            events.RoundOpened(
                **self._at(place, self.deployment.training, len(found)),
                run_id=self.id,
                round=self.round,
                prev=follows,
                snapshot_version=self.snapshot_version,
                active=self.active,
            )
        )
        return found

    def claim(self, party: int, recipient: str, place: BlockPlace) -> list[Event]:
        """The events of paying a party all that it accrued."""
        amount_wei = self.accrued_wei.pop(party)
        return [
            events.Claimed(
                **self._at(place, self.deployment.rewards, 0),
                run_id=self.id,
                party=party,
                recipient=recipient,
                amount=amount_wei,
            ),
            events.Transfer(
                **self._at(place, self.deployment.token, 1),
                sender=self.deployment.rewards,
                to=recipient,
                value=amount_wei,
            ),
        ]

    def _credit(self, row: SealedRound) -> tuple[int, int]:
        """Wei: (vested up to now, credited by this round); notes who accrued it."""
        if self.round == 0:
            self.initial_loss_e9 = initial_loss_e9(row.loss_after_e9, self.terms.loss_ceiling)
            self.best_loss_e9 = self.initial_loss_e9
            return 0, 0
        if row.shares:
            self.best_loss_e9 = min(self.best_loss_e9, row.loss_after_e9)
        gain_e9 = self.initial_loss_e9 - self.best_loss_e9
        span_e9 = self.initial_loss_e9 - self.terms.target_loss
        vested = vested_wei(self.funded_wei, gain_e9, span_e9)
        amounts = credits_wei(vested - self.credited_wei, [bips for _, bips in row.shares])
        for (party, _), amount in zip(row.shares, amounts, strict=True):
            self.accrued_wei[party] = self.accrued_wei.get(party, 0) + amount
        self.credited_wei += sum(amounts)
        return vested, sum(amounts)

    @staticmethod
    def _at(place: BlockPlace, contract: str, log_index: int) -> _LogPlace:
        return {
            "contract": contract,
            "block": place.number,
            "block_hash": place.hash,
            "log_index": log_index,
            "transaction": place.transaction,
        }
