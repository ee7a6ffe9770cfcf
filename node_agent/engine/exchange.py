"""Step 4 of a round: every node fetches every update, checks it, and merges what holds."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass
from pathlib import Path

from contracts.messages import Roster, Update
from node_agent.engine.book import Book
from node_agent.engine.context import RoundContext
from node_agent.engine.headers import merged_metadata, update_metadata
from node_agent.engine.node import Node
from node_agent.engine.rows import merge_weights
from node_agent.errors import ParameterError, PeerError
from node_agent.merge.mean import merge
from node_agent.parameters.check import Reason, Reject, check_update
from node_agent.parameters.format import ParameterFile
from node_agent.peers.protocol import Peer
from node_agent.peers.protocol import Reason as PeerReason

log = logging.getLogger(__name__)

_SWEEP_PAUSE_S = 0.2  # between two rounds of asking everybody for a file nobody could give


@dataclass(frozen=True, slots=True)
class Merged:
    """The result of one roster: the same bytes at every node."""

    root: bytes
    path: Path
    peers: tuple[Peer, ...]
    """Whose updates went in, ordered by SPIFFE ID."""
    files: tuple[Path, ...]
    weights: tuple[int, ...]
    samples: dict[int, int]
    rejects: tuple[tuple[int, int], ...]
    """(registration, reason code) of rostered updates that were left out, ascending."""


async def fetch_update(
    node: Node, context: RoundContext, book: Book, roster: Roster, member: int
) -> Path:
    """A rostered update, from its node or from whoever has it; asks on until the term ends."""
    update = book.updates[member].message
    path = node.store.path(context.round, update.root)
    others = [n for n in roster.members if n not in (member, node.registration)]
    sources = [context.by_registration[n] for n in (member, *others) if n != node.registration]
    while not path.exists():
        for peer in sources:
            if await _fetch_from(node, context, book, roster, peer, update, path):
                return path
        await asyncio.sleep(_SWEEP_PAUSE_S)
    return path


async def _fetch_from(
    node: Node,
    context: RoundContext,
    book: Book,
    roster: Roster,
    peer: Peer,
    update: Update,
    path: Path,
) -> bool:
    for _ in range(2):
        try:
            await node.client.fetch(
                peer, update.root.hex(), path, update.size, node.transfer_timeout_s
            )
            return True
        except PeerError as error:
            envelope = book.roster_envelope(roster.term)
            if error.reason != PeerReason.NOT_FOUND or envelope is None:
                log.info("Update %s not from %s: %s", path.stem[:12], peer.spiffe_id, error)
                return False
            # It may not have seen yet that the roster is closed: show it, and ask once more.
            try:
                await node.client.send(peer, envelope, node.message_timeout_s)
            except PeerError:
                return False
    return False


async def merge_roster(node: Node, context: RoundContext, book: Book, roster: Roster) -> Merged:
    """Merge a roster whose files are all here."""
    accepted: list[tuple[Peer, Path]] = []
    rejects: list[tuple[int, int]] = []
    paths = [node.store.path(context.round, book.updates[n].message.root) for n in roster.members]
    checks = await asyncio.gather(
        *(
            asyncio.to_thread(_check, node, context, context.by_registration[n], path)
            for n, path in zip(roster.members, paths, strict=True)
        )
    )
    for number, path, reject in zip(roster.members, paths, checks, strict=True):
        peer = context.by_registration[number]
        if reject is None:
            accepted.append((peer, path))
        else:
            log.warning("The update of %s is left out: %s", peer.spiffe_id, reject.text)
            rejects.append((number, int(reject.reason)))
    peers = tuple(peer for peer, _ in accepted)
    files = tuple(path for _, path in accepted)
    samples = {peer.registration: book.updates[peer.registration].message.samples for peer in peers}
    if not accepted:
        # Nothing to merge: the model stays what it was, and the row is void.
        base = await node.model(context, context.base_root)
        return Merged(context.base_root, base, (), (), (), {}, tuple(sorted(rejects)))
    weights = tuple(merge_weights(context, peers))
    root, path = await asyncio.to_thread(_merge, node, context, files, weights)
    return Merged(root, path, peers, files, weights, samples, tuple(sorted(rejects)))


def _check(node: Node, context: RoundContext, peer: Peer, path: Path) -> Reject | None:
    try:
        file = ParameterFile.open(path)
    except ParameterError as error:
        return Reject(Reason.HEADER, str(error))
    return check_update(file, node.schema, update_metadata(context, peer.spiffe_id))


def _merge(
    node: Node, context: RoundContext, files: tuple[Path, ...], weights: tuple[int, ...]
) -> tuple[bytes, Path]:
    scratch = node.store.scratch(context.round, "merging")
    written = merge(
        [ParameterFile.open(path) for path in files], weights, scratch, merged_metadata(context)
    )
    return written.root, node.store.adopt(scratch, context.round, written.root)
