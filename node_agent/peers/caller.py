"""The calling side's identity: what this node shows to a peer, and what it demands of him."""

from __future__ import annotations

from collections.abc import Mapping

import aiohttp
from yarl import URL

from node_agent.errors import IdentityError, PeerError
from node_agent.identity.binding import Bindings, NodeIdentity
from node_agent.identity.tls import PeerContext, client_context
from node_agent.peers.answers import PeerResponse
from node_agent.peers.protocol import Directory, Peer, Reason


class Caller:
    """TLS settings and binding headers for peers, and the check of theirs."""

    def __init__(self, identity: NodeIdentity, directory: Directory) -> None:
        self._identity = identity
        self.bindings = Bindings(identity, directory.agreement, directory.consortium)
        self._contexts: dict[str, PeerContext] = {}

    @property
    def spiffe_id(self) -> str:
        """The name of this node."""
        return self._identity.current().spiffe_id

    def context(self, peer: Peer) -> PeerContext:
        """The TLS settings for a peer.

        aiohttp pools connections by them: a new SVID means new connections.
        """
        svid = self._identity.current()
        context = self._contexts.get(peer.spiffe_id)
        if context is None or context.svid is not svid:
            context = self._contexts[peer.spiffe_id] = client_context(svid, peer.spiffe_id)
        return context

    def headers(self, context: PeerContext) -> Mapping[str, str]:
        """What binds the TLS key of these settings to the node key."""
        return self.bindings.headers(context.svid.leaf)

    def check(self, peer: Peer, response: PeerResponse) -> None:
        """Raises IdentityError, and closes the connection, where the answer is not the peer's."""
        leaf = response.tls.peer
        if self._identity.clock() >= leaf.not_after_s:
            response.close()
            raise IdentityError(f"the SVID of {leaf.spiffe_id} has expired")
        try:
            self.bindings.check(leaf, peer.key, response.headers)
        except IdentityError:
            response.close()
            raise

    async def check_line(self, peer: Peer, socket: aiohttp.ClientWebSocketResponse) -> None:
        """The same of a line, whose first frame holds the headers. Raises IdentityError."""
        binding = await socket.receive_json()
        self.bindings.check(socket.get_extra_info("ssl_object").peer, peer.key, binding)


def address_of(peer: Peer) -> URL:
    """Where a peer says it listens. The chain takes any visible characters for an address."""
    try:
        url = URL(peer.url)
    except ValueError as error:
        raise misplaced(peer) from error
    if url.scheme != "https" or not url.host:
        raise misplaced(peer)
    return url


def misplaced(peer: Peer) -> PeerError:
    """A peer whose address leads nowhere."""
    return PeerError(
        f"the URL of {peer.spiffe_id} is not https://host:port but {peer.url}",
        reason=Reason.UNREACHABLE,
    )
