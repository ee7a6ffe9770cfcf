"""Opening lines at a peer: to leave them there, or to speak to somebody who has left some."""

from __future__ import annotations

import asyncio

import aiohttp

from node_agent.errors import IdentityError, PeerError
from node_agent.peers import sessions
from node_agent.peers.caller import Caller, address_of
from node_agent.peers.lines import FRAME_LIMIT_BYTES, HEARTBEAT_S, Line
from node_agent.peers.protocol import Peer, Reason
from node_agent.peers.versions import LINES, Spoken


class LineLayer:
    """Opens lines whose other end is the peer itself: it says so first, as every answer does."""

    def __init__(self, caller: Caller, opened: sessions.Sessions, spoken: Spoken) -> None:
        self._caller, self._sessions, self._spoken = caller, opened, spoken

    async def lay(self, peer: Peer) -> aiohttp.ClientWebSocketResponse:
        """Leave an idle line with a peer; see ``peers.lines``. Raises PeerError."""
        return await self._open(peer, "/v1/lines")

    async def borrow(self, lender: Peer, target: Peer) -> Line:
        """A line to a site that has left some with the lender. Raises PeerError."""
        return Line(await self._open(lender, f"/v1/lines/{target.registration}"))

    async def _open(self, peer: Peer, path: str) -> aiohttp.ClientWebSocketResponse:
        context = self._caller.context(peer)
        url = address_of(peer).origin().with_path(path)
        version = self._spoken.with_peer(peer.spiffe_id)
        if version < LINES:
            raise _too_old(peer)
        headers = {**self._spoken.headers(version), **self._caller.headers(context)}
        try:
            async with asyncio.timeout(sessions.CONNECT_TIMEOUT_S):
                socket = await self._sessions.lines.ws_connect(
                    url,
                    ssl=context,
                    headers=headers,
                    heartbeat=HEARTBEAT_S,
                    max_msg_size=FRAME_LIMIT_BYTES,
                )
                await self._caller.check_line(peer, socket)
        except aiohttp.WSServerHandshakeError as error:
            if error.status == 426:
                raise _too_old(peer) from error
            reason = Reason.NOT_FOUND if error.status == 404 else Reason.REFUSED
            text = f"{peer.spiffe_id} has no line: HTTP {error.status}"
            raise PeerError(text, reason=reason) from error
        except IdentityError as error:
            await socket.close()
            raise PeerError(str(error), reason=Reason.IDENTITY, hint=error.hint) from error
        except (aiohttp.ClientError, OSError, TimeoutError, TypeError, ValueError) as error:
            text = f"no line to {peer.spiffe_id} at {peer.url}: {error or 'no answer'}"
            raise PeerError(text, reason=Reason.UNREACHABLE) from error
        return socket


def _too_old(peer: Peer) -> PeerError:
    return PeerError(
        f"{peer.spiffe_id} does not speak version {LINES} of the peers' protocol, the first one "
        "with lines: sites that accept no inbound connection need them",
        reason=Reason.VERSION,
        hint=f"upgrade swarm-node at {peer.spiffe_id}",
    )
