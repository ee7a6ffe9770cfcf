"""An agent that does not play by the rules, in the place of `swarm-node`: a stand-in for a villain.

DISHONEST says how: it commits to, and serves, a file that an honest agent would not let out (nan,
shape, name: under another node's, huge); gives nobody its file (withhold); or, when it leads,
proposes to be paid alone (greedy), or what cannot be read (garbled); tells all of one commit and
then of another (two-faced); leaves others' late rows out of its seals (hush). Everything else it
does by the book.
"""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from contracts.messages import Attestation, pack_shares, sign, to_json
from node_agent.cli import main
from node_agent.engine.commit import Commit
from node_agent.engine.engine import Engine
from node_agent.engine.late import LateBooks
from node_agent.engine.round import Round
from node_agent.engine.store import file_root
from node_agent.engine.terms import Terms
from node_agent.parameters.format import ParameterFile, write
from node_agent.peers.protocol import Envelope, Peer


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


def inspect_nothing(self: Commit, path: Path) -> tuple[bytes, int]:
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


async def keep_silent(self: LateBooks) -> None:
    return None


say = Round.say


def two_faced(self: Round, envelope: Envelope) -> None:
    say(self, envelope)
    if envelope.kind == "update" and self.context.round:
        other = replace(self.book.updates[self.node.registration].message, root=bytes(31) + b"\1")
        signature = "0x" + sign(self.context.domain, other, self.node.signer).hex()
        lie = Envelope("update", to_json(other), signature, self.node.registration)
        self.node.broadcast(self.context, lie)


if __name__ == "__main__":
    match os.environ["DISHONEST"]:
        case "withhold":
            Engine.readable = withhold  # type: ignore[method-assign]
        case "greedy":
            Terms._attestation = greedy  # type: ignore[method-assign]
        case "two-faced":
            Round.say = two_faced  # type: ignore[method-assign]
        case "hush":
            LateBooks.collect = keep_silent  # type: ignore[method-assign]
        case "garbled":
            Terms._attest = garbled  # type: ignore[method-assign]
        case _:
            Commit._inspect = inspect_nothing  # type: ignore[method-assign]
    main()
