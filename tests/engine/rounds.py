"""A round on paper: members with real keys, and their signed messages."""

from __future__ import annotations

from dataclasses import replace

from contracts.keys import Signer, new_key
from contracts.messages import (
    Attestation,
    Domain,
    Holdings,
    Refusal,
    Roster,
    Struct,
    Terms,
    Update,
    sign,
    to_json,
)
from node_agent.engine.book import Book
from node_agent.engine.context import RoundContext
from node_agent.engine.leader import ranking
from node_agent.engine.rosters import NO_ROSTER, root_of, roster_body
from node_agent.peers.protocol import Envelope, Peer

DOMAIN = Domain(31337, "0x5FbDB2315678afecb367f032d93F642f64180aa3")
RUN, PREV, BASE = bytes([1]) * 32, bytes([2]) * 32, bytes([3]) * 32


def terms(**changes: object) -> Terms:
    """Terms of a run with common metering."""
    values: dict[str, object] = {
        "initial_root": BASE,
        "schema_hash": bytes(32),
        "validation_root": bytes(32),
        "sponsor": "0x" + "11" * 20,
        "budget": 10**18,
        "loss_ceiling": 2 * 10**9,
        "target_loss": 10**8,
        "min_samples": 64,
        "max_rounds": 24,
        "sync_frequency": 8,
        "stall_time": 600,
        "quorum_grace": 1000,
        "leader_timeout": 2000,
        "min_peers": 2,
        "merge_rule": 0,
        "metering": 2,
    }
    return Terms(**(values | changes))  # type: ignore[arg-type]


class Table:
    """``parties[k]`` is the party of node k; nodes are numbered as registered."""

    def __init__(self, parties: list[int], *, round_number: int = 5, **changes: object) -> None:
        self.signers: list[Signer] = [new_key() for _ in parties]
        members = tuple(
            Peer(
                registration=k,
                party=party,
                organization=f"site-{party}",
                spiffe_id=f"spiffe://care.example/org/site-{party}/node/{k}",
                url=f"https://site-{party}.example:{7000 + k}",
                key=self.signers[k].address,
                may_lead=True,
            )
            for k, party in enumerate(parties)
        )
        organizations = len(set(parties))
        self.context = RoundContext(
            run_id=RUN,
            name="paper",
            agreement=bytes([4]) * 32,
            domain=DOMAIN,
            terms=terms(**changes),
            round=round_number,
            prev=PREV,
            base_root=BASE,
            members=tuple(sorted(members, key=lambda peer: peer.spiffe_id)),
            weights=dict.fromkeys(parties, 1),
            quorum=max(2, organizations // 2 + 1),
            funded_wei=10**18,
            credited_wei=0,
            initial_loss_e9=10**9,
            best_loss_e9=5 * 10**8,
        )
        leaders = ranking(RUN, round_number, BASE, self.context.members)
        self.book = Book(self.context, leaders)

    def envelope(self, node: int, kind: str, message: Struct, body: dict | None = None) -> Envelope:
        """A message signed by a node."""
        signature = "0x" + sign(DOMAIN, message, self.signers[node]).hex()
        return Envelope(kind, body or to_json(message), signature, node)

    def update(self, node: int, **changes: object) -> Envelope:
        """A node's commit."""
        values = {
            "run_id": RUN,
            "round": self.context.round,
            "prev": PREV,
            "registration": node,
            "root": bytes([node + 10]) * 32,
            "size": 1000,
            "samples": 512,
        }
        return self.envelope(node, "update", Update(**(values | changes)))  # type: ignore[arg-type]

    def roster(self, members: list[int], term: int = 0, by: int | None = None) -> Envelope:
        """The roster that the term's leader (or ``by``) closes over these members."""
        leader = self.book.leader(term).registration if by is None else by
        updates = {n: self.book.updates[n] for n in members}
        root = root_of(self.context, updates)
        roster = Roster(RUN, self.context.round, PREV, term, tuple(members), root)
        evidence = self.book.holdings.get(term, {})
        named = {held.message.roster_root for held in evidence.values()} & self.book.closed.keys()
        body = roster_body(roster, updates, evidence, [self.book.closed[each] for each in named])
        return self.envelope(leader, "roster", roster, body)

    def holdings(
        self, node: int, term: int, root: bytes = NO_ROSTER, held: bytes = b""
    ) -> Envelope:
        """What a node says it holds when a term begins."""
        message = Holdings(RUN, self.context.round, PREV, term, node, root, held)
        return self.envelope(node, "holdings", message)

    def refusal(self, node: int, term: int, reason: str) -> Envelope:
        """A node's word that it does not sign the term's proposal."""
        message = Refusal(RUN, self.context.round, PREV, term, node, bytes(32), reason)
        return self.envelope(node, "refusal", message)

    def attestation(
        self, node: int, term: int = 0, merged: bytes = bytes(32), **changes: object
    ) -> Envelope:
        """A node's signature under a merged root."""
        message = Attestation(
            RUN, self.context.round, PREV, term, bytes(32), merged, 10**9, 9 * 10**8, 0, b"", b""
        )
        return self.envelope(node, "attestation", replace(message, **changes))  # type: ignore[arg-type]  # a test's word
