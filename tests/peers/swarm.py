"""A small swarm for tests: nodes with real keys, real certificates and real sockets."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from blake3 import blake3

from contracts.keys import Signer, new_key
from contracts.messages import Domain
from node_agent.errors import MessageRefused
from node_agent.identity.binding import NodeIdentity
from node_agent.identity.source import RotatingSource
from node_agent.identity.svid import Svid
from node_agent.peers.client import PeerClient
from node_agent.peers.lines import Exchange
from node_agent.peers.protocol import Envelope, Peer, Traffic
from node_agent.peers.server import PeerServer
from node_agent.peers.versions import SPOKEN, Spoken, Versions
from tests.identity.authority import TRUST_DOMAIN, Authority
from tests.identity.clock import Clock

AGREEMENT = bytes(range(32))
CONSORTIUM = Domain(31337, "0x5FbDB2315678afecb367f032d93F642f64180aa3")


def spiffe_id(organization: str, trust_domain: str = TRUST_DOMAIN) -> str:
    return f"spiffe://{trust_domain}/org/{organization}/node/1"


class Members:
    """Who is enrolled, as the chain would say."""

    agreement = AGREEMENT
    consortium = CONSORTIUM

    def __init__(self) -> None:
        self.enrolled: dict[str, Peer] = {}

    def enroll(self, organization: str, key: str, name: str = "") -> Peer:
        number = len(self.enrolled)
        name = name or spiffe_id(organization)
        peer = Peer(number, number, organization, name, "https://127.0.0.1:1", key, True)
        self.enrolled[name] = peer
        return peer

    def by_spiffe_id(self, spiffe_id: str) -> Peer | None:
        return self.enrolled.get(spiffe_id)

    def peers(self) -> Sequence[Peer]:
        return list(self.enrolled.values())


class Shelf:
    """An engine that keeps what it gets and shows what it has."""

    def __init__(self) -> None:
        self.received: list[tuple[Peer, Envelope]] = []
        self.files: dict[str, Path] = {}
        self.refuse: str = ""
        self.delay_s = 0.0

    async def receive(self, sender: Peer, envelope: Envelope) -> None:
        await asyncio.sleep(self.delay_s)
        if self.refuse:
            raise MessageRefused(self.refuse)
        self.received.append((sender, envelope))

    def held(self, run: str, prev: str) -> Sequence[Envelope]:
        return [
            each
            for _, each in self.received
            if (each.message["run"], each.message["prev"]) == (run, prev)
        ]

    def readable(self, root: str, reader: Peer) -> Path | None:
        return self.files.get(root)

    async def awaited(self, root: str, reader: Peer, limit_s: float) -> Path | None:
        await asyncio.sleep(limit_s)  # files are offered without notice
        return self.files.get(root)

    def status(self) -> Mapping[str, Any]:
        return {"round": 3, "state": "training"}

    def offer(self, path: Path, content: bytes) -> str:
        """Puts a file on the shelf and returns its root."""
        path.write_bytes(content)
        root = blake3(content).hexdigest()
        self.files[root] = path
        return root


class HandSource(RotatingSource):
    """SVIDs handed over by the test."""

    async def _open(self) -> None:
        pass

    async def _watch(self) -> None:
        await asyncio.Event().wait()

    def show(self, svid: Svid) -> None:
        self._take(svid)


def svid_of(authority: Authority, name: str, *also: Authority, **options: Any) -> Svid:
    issued = authority.issue(name, **options)
    federated = {each.trust_domain: (each.der,) for each in also}
    return Svid.from_pem(issued.chain_pem, issued.key_pem, (authority.der,), federated)


@dataclass
class Node:
    """One node with its listener and its client."""

    peer: Peer
    signer: Signer
    source: HandSource
    clock: Clock
    shelf: Shelf
    server: PeerServer
    client: PeerClient
    traffic: Traffic
    spoken: Spoken

    @property
    def name(self) -> str:
        return self.peer.spiffe_id


@dataclass
class Swarm:
    """Nodes of one agreement under one certificate authority."""

    authority: Authority = field(default_factory=Authority)
    members: Members = field(default_factory=Members)
    nodes: list[Node] = field(default_factory=list)

    async def join(
        self,
        organization: str,
        *,
        enrolled: bool = True,
        svid: Svid | None = None,
        signer: Signer | None = None,
        speaks: Versions = SPOKEN,
    ) -> Node:
        """Starts a node; by default enrolled, with a good SVID."""
        signer = signer or new_key()
        svid = svid or svid_of(self.authority, spiffe_id(organization))
        if enrolled:
            peer = self.members.enroll(organization, signer.address, svid.spiffe_id)
        else:
            peer = Peer(99, 99, organization, svid.spiffe_id, "", signer.address, True)
        clock = Clock()
        source = HandSource(None, clock)
        source.show(svid)
        identity = NodeIdentity(source, signer, clock=clock)
        shelf = Shelf()
        traffic = Traffic()
        lines, spoken = Exchange(), Spoken(speaks)
        server = PeerServer(identity, self.members, shelf, "127.0.0.1", 0, traffic, lines, spoken)
        port = await server.start()
        peer = replace(peer, url=f"https://127.0.0.1:{port}")
        if enrolled:
            self.members.enrolled[peer.spiffe_id] = peer
        client = PeerClient(identity, self.members, traffic, lines, spoken)
        node = Node(peer, signer, source, clock, shelf, server, client, traffic, spoken)
        self.nodes.append(node)
        return node

    async def stop(self) -> None:
        for node in self.nodes:
            await node.client.close()
            await node.server.stop()


def envelope(registration: int = 0, **fields: Any) -> Envelope:
    message = {"run": "0x01", "prev": "0x02", **fields}
    return Envelope("update", message, "0x" + "ab" * 65, registration)
