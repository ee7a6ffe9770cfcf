"""The ledger as the engine sees it: which round is open, who is in it, and posting a seal.

Nothing a peer says about the chain is believed, but what he says makes the node look at once: a
message about a later round, or word of a seal, is a hint. Without hints it looks once a second.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from contracts import Contracts
from contracts.clerk import Book
from contracts.consortium import Registration
from contracts.errors import ChainError, ContractReverted
from contracts.events import RowCounted, logs
from contracts.keys import Signer
from contracts.messages import Attestation, Domain, Terms
from contracts.parties import parties_in
from contracts.training import Run, State
from contracts.votes import NO_VOTES, votes_of
from node_agent.engine.context import METERING_LOCAL, RoundContext
from node_agent.engine.tally import Tally
from node_agent.journal import Journal
from node_agent.peers.protocol import Peer

log = logging.getLogger(__name__)

_LOOK_EVERY_S = 1.0  # hints carry the hot path; this finds what no peer could tell us


@dataclass(frozen=True, slots=True)
class RunOver:
    """The run is finished: its last model, the number of its last round, who took part in it."""

    merged_root: bytes
    round: int
    members: tuple[Peer, ...]
    settling: bool = False
    """`local` metering: the last round is not paid yet."""


LateRows = Mapping[int, tuple[Attestation, str]]
"""Registration to what that node signed, and its signature."""


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
        self,
        contracts: Contracts,
        run_id: bytes,
        signer: Signer,
        directory: Members,
        journal: Journal,
    ) -> None:
        self.contracts = contracts
        self._journal = journal
        self.run_id = run_id
        self._directory = directory
        self._signer = signer
        self._hint = asyncio.Event()
        self._terms: Terms | None = None
        self._local = False
        self._members: dict[tuple[int, int], tuple[Peer, ...]] = {}
        self._parties: list[tuple[str, int]] = []

    @property
    def stagger_s(self) -> float:
        """Between the turns of those who may all post the same: longer than a block."""
        return self.contracts.chain.profile.post_stagger_s

    def hint(self) -> None:
        """Something may have happened: look now."""
        self._hint.set()

    async def read(self) -> RoundContext | RunOver:
        """The open round with all that is fixed in it, or the end of the run. ``ChainError``."""
        run = await self.contracts.training.run(self.run_id)
        if run.state != State.OPEN:
            settling = run.state == State.SETTLING
            return RunOver(run.merged_root, run.round, await self._members_of(run), settling)
        if self._terms is None:
            self._terms = await self.contracts.training.terms(self.run_id)
            self._local = self._terms.metering == METERING_LOCAL
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
        """Names and weights by party; what a party weighed when this node first saw it, it weighs.

        An amendment changes weights for the runs to come. Nodes that read them anew in the middle
        of one, after a restart, would merge other bytes than those that did not.
        """
        listed = await self.contracts.consortium.parties(agreement)
        name = f"parties {self.run_id.hex()}"
        known: list[list[Any]] = json.loads(self._journal.fact(name) or "[]")
        now = [[party.organization, party.weight] for party in listed]
        if len(now) > len(known):
            known += now[len(known) :]
            self._journal.keep(name, json.dumps(known))
        self._parties = [(organization, weight) for organization, weight in known]

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

    async def post_seal(self, tally: Tally, late: LateRows | None) -> str | None:
        """Post a seal; its transaction, or None when somebody else's was recorded first.

        Under `local` metering with the rows of the round before that are ``late``.
        """
        training = self.contracts.training
        try:
            if not self._local:
                raw = {n: _bytes(signature) for n, signature in tally.signatures.items()}
                receipt = await training.seal(tally.attestation, raw, signer=self._signer)
            else:
                rows = {n: (tally.signed[n], each) for n, each in tally.signatures.items()}
                common, votes = votes_of(_votes(rows))
                settled, more = votes_of(_votes(late)) if late else (common, NO_VOTES)
                receipt = await training.seal_local(
                    common, votes, settled, more, signer=self._signer
                )
        except ContractReverted as error:
            if error.name in ("Training_WrongRound", "Training_WrongPrev", "Training_WrongState"):
                return None
            raise
        return receipt.transaction

    # -- rows of `local` metering

    async def waiting_rows(self) -> Book | None:
        """What is on chain of the round that was sealed last; None when none waits for rows."""
        book = await self.contracts.clerk.book(self.run_id)
        return book if any(book.sealed_hash) else None

    async def add_rows(self, late: LateRows) -> None:
        """Add rows to the round that was sealed last; nothing happens if they are there already."""
        settled, votes = votes_of(_votes(late))
        try:
            await self.contracts.training.add_rows(settled, votes, signer=self._signer)
        except ContractReverted as error:
            if error.name != "LocalRows_NotWaiting":
                raise

    async def row_counted(self, round_number: int, party: int, since_block: int) -> bool:
        """Has a row of this party been counted for a round, from a block on?"""
        chain = self.contracts.chain
        events = await logs(
            chain, self.contracts.deployment, since_block, await chain.block_number()
        )
        return any(
            (event.run_id, event.round, event.party) == (self.run_id, round_number, party)
            for event in events
            if isinstance(event, RowCounted)
        )

    async def block_number(self) -> int:
        """Of the latest block."""
        return await self.contracts.chain.block_number()

    def party_of(self, registration: int) -> int | None:
        """The organization that a node belongs to, as of the rounds seen so far."""
        peers = (peer for members in self._members.values() for peer in members)
        return next((peer.party for peer in peers if peer.registration == registration), None)

    async def settle(self) -> bool:
        """Settle the last round of a run that has ended; whether nothing is left to be settled.

        The contract refuses until all rows are in, or ``stallTime`` has passed.
        """
        try:
            await self.contracts.training.settle(self.run_id, signer=self._signer)
        except ContractReverted as error:
            if error.name == "Training_RowsMissing":
                return False
            if error.name != "Training_WrongState":
                raise
        return True

    async def reopen_if_stalled(self) -> None:
        """Ask the contract to open the round anew; it refuses until ``stallTime`` has passed."""
        try:
            await self.contracts.training.reopen(self.run_id, signer=self._signer)
        except ContractReverted as error:
            log.debug("Not reopened: %s", error)


def _votes(rows: LateRows) -> dict[int, tuple[Attestation, bytes]]:
    return {n: (attestation, _bytes(signature)) for n, (attestation, signature) in rows.items()}


def _bytes(signature: str) -> bytes:
    return bytes.fromhex(signature[2:])
