"""The ledger as the engine sees it: which round is open, who is in it, and posting a seal.

Nothing a peer says about the chain is believed, but what he says makes the node look at once: a
message about a later round, or word of a seal, is a hint. Without hints it looks once a second.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from contracts import Contracts
from contracts.consortium import Registration
from contracts.errors import ChainError, ContractReverted
from contracts.keys import Signer
from contracts.messages import Attestation, Domain, Terms
from contracts.parties import parties_in
from contracts.training import Run, State
from node_agent.engine.context import RoundContext
from node_agent.peers.protocol import Peer

log = logging.getLogger(__name__)

_LOOK_EVERY_S = 1.0  # hints carry the hot path; this finds what no peer could tell us


@dataclass(frozen=True, slots=True)
class RunOver:
    """The run is finished: its last model, the number of its last round, who took part in it."""

    merged_root: bytes
    round: int
    members: tuple[Peer, ...]


class Members:
    """Who may speak: the nodes counted in the open round. Implements ``peers.Directory``."""

    def __init__(self, agreement: bytes, consortium: Domain) -> None:
        self.agreement = agreement
        self.consortium = consortium
        self._by_id: dict[str, Peer] = {}

    def by_spiffe_id(self, spiffe_id: str) -> Peer | None:
        """The node of exactly that name, if it is enrolled."""
        return self._by_id.get(spiffe_id)

    def peers(self) -> Sequence[Peer]:
        """All of them."""
        return list(self._by_id.values())

    def replace(self, peers: Iterable[Peer]) -> None:
        """Take up a new snapshot."""
        self._by_id = {peer.spiffe_id: peer for peer in peers}


def peers_of(
    registered: Iterable[Registration], organizations: Sequence[str], *, version: int, active: int
) -> tuple[Peer, ...]:
    """The nodes of a snapshot whose parties are counted in the round, ordered by SPIFFE ID.

    Args:
        registered: every registration of the agreement.
        organizations: the parties' names by their numbers.
        version: of the snapshot.
        active: set of the parties that are counted; see `contracts.parties`.
    """
    counted = parties_in(active)
    peers = (
        Peer(
            registration=entry.number,
            party=entry.party,
            organization=organizations[entry.party],
            spiffe_id=entry.spiffe_id,
            url=entry.url,
            key=entry.key,
            may_lead=entry.may_lead,
        )
        for entry in registered
        if entry.belongs(version) and entry.party in counted
    )
    return tuple(sorted(peers, key=lambda peer: peer.spiffe_id))


class RunChain:
    """One run on the chain, read by any node and posted to with the node key."""

    def __init__(
        self, contracts: Contracts, run_id: bytes, signer: Signer, directory: Members
    ) -> None:
        self.contracts = contracts
        self.run_id = run_id
        self._directory = directory
        self._signer = signer
        self._hint = asyncio.Event()
        self._terms: Terms | None = None
        self._members: dict[tuple[int, int], tuple[Peer, ...]] = {}
        self._parties: list[tuple[str, int]] = []

    def hint(self) -> None:
        """Something may have happened: look now."""
        self._hint.set()

    async def read(self) -> RoundContext | RunOver:
        """The open round with all that is fixed in it, or the end of the run. ``ChainError``."""
        run = await self.contracts.training.run(self.run_id)
        if run.state != State.OPEN:
            return RunOver(run.merged_root, run.round, await self._members_of(run))
        if self._terms is None:
            self._terms = await self.contracts.training.terms(self.run_id)
        pool, quorum, members = await asyncio.gather(
            self.contracts.rewards.pool(self.run_id),
            self.contracts.training.quorum(self.run_id),
            self._members_of(run),
        )
        return RoundContext(
            run_id=self.run_id,
            name=run.name,
            agreement=run.agreement,
            domain=self.contracts.domains.training,
            terms=self._terms,
            round=run.round,
            prev=run.prev,
            base_root=run.merged_root,
            members=members,
            weights={party: weight for party, (_, weight) in enumerate(self._parties)},
            quorum=quorum,
            funded_wei=pool.funded,
            credited_wei=pool.credited,
            initial_loss_e9=run.initial_loss,
            best_loss_e9=run.best_loss,
            last_loss_e9=run.last_loss,
            paid_rounds=run.paid_rounds,
        )

    async def _members_of(self, run: Run) -> tuple[Peer, ...]:
        key = run.snapshot_version, run.active
        if key not in self._members:
            await self._load_parties(run.agreement)
            registered = await self.contracts.consortium.registrations(run.agreement)
            names = [name for name, _ in self._parties]
            members = peers_of(registered, names, version=run.snapshot_version, active=run.active)
            self._members = {key: members}
            self._directory.replace(self._members[key])
        return self._members[key]

    async def _load_parties(self, agreement: bytes) -> None:
        if not self._parties:
            listed = await self.contracts.consortium.parties(agreement)
            self._parties = [(party.organization, party.weight) for party in listed]

    async def moved_on(self, context: RoundContext) -> None:
        """Return when the chain is no longer at this round (and ``prev``)."""
        reachable = True
        while True:
            self._hint.clear()
            try:
                run = await self.contracts.training.run(self.run_id)
                if run.state != State.OPEN or run.prev != context.prev:
                    return
                reachable = True
            except ChainError as error:
                if reachable:
                    log.warning("The chain does not answer; waiting for it: %s", error)
                reachable = False
            try:
                await asyncio.wait_for(self._hint.wait(), _LOOK_EVERY_S)
            except TimeoutError:
                continue

    async def post_seal(
        self, attestation: Attestation, signatures: Mapping[int, str]
    ) -> str | None:
        """Post a seal; its transaction, or None when somebody else's was recorded first."""
        raw = {number: bytes.fromhex(signature[2:]) for number, signature in signatures.items()}
        try:
            receipt = await self.contracts.training.seal(attestation, raw, signer=self._signer)
        except ContractReverted as error:
            if error.name in ("Training_WrongRound", "Training_WrongPrev", "Training_WrongState"):
                return None
            raise
        return receipt.transaction

    async def reopen_if_stalled(self) -> None:
        """Ask the contract to open the round anew; it refuses until ``stallTime`` has passed."""
        try:
            await self.contracts.training.reopen(self.run_id, signer=self._signer)
        except ContractReverted as error:
            log.debug("Not reopened: %s", error)
