"""An agent in a network where one peer, $CUT, cannot be reached: in the place of `swarm-node`."""

from __future__ import annotations

import os
from typing import Any

from node_agent.cli import main
from node_agent.errors import PeerError
from node_agent.peers.client import PeerClient
from node_agent.peers.protocol import Peer, Reason

request = PeerClient._request


async def cut(self: PeerClient, method: str, peer: Peer, *rest: Any) -> Any:
    if peer.spiffe_id == os.environ["CUT"]:
        raise PeerError("no route to host", reason=Reason.UNREACHABLE)
    return await request(self, method, peer, *rest)


if __name__ == "__main__":
    PeerClient._request = cut  # type: ignore[method-assign]
    main()
