"""An agent that does not play by the rules, in the place of `swarm-node`: a stand-in for a villain.

DISHONEST says how: it commits to, and serves, a file that an honest agent would not let out (nan,
shape, name: under another node's, huge); gives nobody its file (withhold); or, when it leads,
proposes to be paid alone (greedy), or what cannot be read (garbled). Everything else it does by
the book.
"""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from contracts.messages import Attestation, pack_shares
from node_agent.cli import main
from node_agent.engine.engine import Engine
from node_agent.engine.round import Round
from node_agent.engine.store import file_root
from node_agent.engine.terms import Terms
from node_agent.parameters.format import ParameterFile, write
from node_agent.peers.protocol import Peer


def spoil(path: Path, how: str) -> None:
    """Rewrite an update so that it is wrong in one way."""
    file = ParameterFile.open(path)
    tensors = {name: np.array(values) for name, values in file.tensors().items()}
    metadata = dict(file.metadata)
    first = next(iter(tensors))
    if how == "nan":
        tensors[first].reshape(-1)[0] = np.nan
    elif how == "shape":
        tensors[first] = np.zeros(3, np.float32)
    elif how == "name":
        metadata["node"] = metadata["node"].replace("west", "north")
    elif how == "huge":
        tensors[first] = np.full_like(tensors[first], 1e30)
    write(path, tensors, metadata)


def inspect_nothing(self: Round, path: Path) -> tuple[bytes, int]:
    spoil(path, os.environ["DISHONEST"])
    return file_root(path), path.stat().st_size


readable = Engine.readable
attestation = Terms._attestation


def withhold(self: Engine, root: str, reader: Peer) -> Path | None:
    own = self._round and self._round.book.updates.get(self._node.registration)
    return None if own and own.message.root.hex() == root else readable(self, root, reader)


def greedy(self: Terms, *arguments: Any) -> Attestation:
    honest = attestation(self, *arguments)
    own = self._context.by_registration[self._node.registration].party
    return replace(honest, shares=pack_shares([(own, 10_000)])) if honest.shares else honest


def garbled(self: Terms, proposal: Attestation) -> None:
    spoiled = replace(proposal, shares=b"\0")
    envelope = self._node.sign_once(self._context, "attestation", proposal.term, spoiled)
    self._node.broadcast(self._context, envelope)


if __name__ == "__main__":
    match os.environ["DISHONEST"]:
        case "withhold":
            Engine.readable = withhold  # type: ignore[method-assign]
        case "greedy":
            Terms._attestation = greedy  # type: ignore[method-assign]
        case "garbled":
            Terms._attest = garbled  # type: ignore[method-assign]
        case _:
            Round._inspect = inspect_nothing  # type: ignore[method-assign]
    main()
