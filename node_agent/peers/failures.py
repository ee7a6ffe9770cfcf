"""What goes wrong on the way to a peer, as a PeerError that says why."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import aiohttp

from node_agent.errors import IdentityError, PeerError
from node_agent.peers import sessions
from node_agent.peers.answers import nonsense
from node_agent.peers.protocol import Peer, Reason


@contextmanager
def explained(peer: Peer, timeout_s: float, awaited: Callable[[], str]) -> Iterator[None]:
    """Within it, failures of a request become PeerErrors; `awaited`: what had not come yet."""
    try:
        yield
    except aiohttp.ConnectionTimeoutError as error:
        text = f"no TLS connection to {peer.url} within {sessions.CONNECT_TIMEOUT_S:g} s"
        raise PeerError(text, reason=Reason.TIMEOUT) from error
    except aiohttp.SocketTimeoutError as error:
        text = f"{peer.spiffe_id} sent nothing for {sessions.STALL_TIMEOUT_S:g} s"
        raise PeerError(text, reason=Reason.TIMEOUT) from error
    except TimeoutError as error:
        text = f"waited {timeout_s:g} s for {awaited()} from {peer.spiffe_id}"
        raise PeerError(text, reason=Reason.TIMEOUT) from error
    except IdentityError as error:
        raise PeerError(str(error), reason=Reason.IDENTITY, hint=error.hint) from error
    except aiohttp.ClientConnectorCertificateError as error:
        text = f"{peer.url} is not {peer.spiffe_id}: {error.certificate_error}"
        raise PeerError(text, reason=Reason.IDENTITY) from error
    except aiohttp.ClientPayloadError as error:
        raise PeerError(
            f"the connection to {peer.spiffe_id} broke before the whole answer was there",
            reason=Reason.UNREACHABLE,
        ) from error
    except aiohttp.ClientConnectionError as error:
        raise PeerError(
            f"no connection to {peer.spiffe_id} at {peer.url}: {error}",
            reason=Reason.UNREACHABLE,
            hint="if it closes the connection at once it may not accept this node: see its log",
        ) from error
    except aiohttp.ClientError as error:
        raise nonsense(peer, str(error)) from error
