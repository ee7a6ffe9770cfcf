"""Step 4 of a round: every node fetches every update, checks it, and merges what holds.

The merge is by the rule of the terms (`node_agent.merge.registry`). A rule that keeps a state finds
it as a file of its own, whose root the base's header names: see docs/merge-rules.md.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import partial
from pathlib import Path

from contracts.messages import Update
from node_agent.engine.context import RoundContext
from node_agent.engine.headers import merged_metadata, update_metadata
from node_agent.engine.hedge import first_success
from node_agent.engine.node import Node
from node_agent.engine.rosters import Closed, roster_envelope
from node_agent.engine.rows import merge_weights
from node_agent.errors import ParameterError, PeerError
from node_agent.merge.registry import merge, state_root
from node_agent.parameters import header
from node_agent.parameters.check import Reason, Reject, check_update
from node_agent.parameters.format import ParameterFile
from node_agent.peers.protocol import Peer
from node_agent.peers.protocol import Reason as PeerReason

log = logging.getLogger(__name__)

_SWEEP_PAUSE_S = 0.2  # between two rounds of asking everybody for a file nobody could give
_HEDGE_AFTER = 0.25  # of a term's time: then another source is asked for the same file as well
_SIZE_SLACK_BYTES = 64 << 10  # of a file that is wrong; what is longer is not worth fetching


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
    coefficients: tuple[Fraction, ...] | None = ()
    """Of each file, where merged = base + Σ c·(file − base); None: of each coordinate its own."""


async def fetch_updates(node: Node, context: RoundContext, closed: Closed) -> list[Reject | None]:
    """Fetch and check a roster's files; why each must be left out, in the roster's order.

    Asks on for what nobody gives until the caller's time is up.
    """
    return await asyncio.gather(
        *(_fetch_and_check(node, context, closed, member) for member in closed.roster.members)
    )


async def _fetch_and_check(
    node: Node, context: RoundContext, closed: Closed, member: int
) -> Reject | None:
    peer, update = context.by_registration[member], closed.updates[member].message
    metadata = update_metadata(context, peer.spiffe_id)
    expected = len(header.encode(node.schema, metadata)) + sum(
        spec.size for spec in node.schema.values()
    )
    if update.size > expected + _SIZE_SLACK_BYTES:
        return Reject(Reason.SCHEMA, f"it has {update.size} bytes, the model {expected}")
    path = node.store.path(context.round, update.root)
    while not path.exists():
        if not await _fetch(node, context, closed, member, path):
            await asyncio.sleep(_SWEEP_PAUSE_S)
    return await asyncio.to_thread(_check, node, path, metadata)


async def _fetch(
    node: Node, context: RoundContext, closed: Closed, member: int, path: Path
) -> bool:
    """Ask its node, then whoever may have it; a source that is slow gets company."""
    update = closed.updates[member].message
    sources = node.sources(context, member, closed.roster.members)
    attempts = [partial(_fetch_from, node, context, closed, peer, update, path) for peer in sources]
    return await first_success(attempts, _HEDGE_AFTER * context.terms.leader_timeout / 1000)


async def _fetch_from(
    node: Node, context: RoundContext, closed: Closed, peer: Peer, update: Update, path: Path
) -> bool:
    patience_s = _HEDGE_AFTER * context.terms.leader_timeout / 1000
    relays = peer.registration != update.registration and node.relays(context, update.registration)
    for _ in range(2):
        try:
            await node.client.fetch(
                peer, update.root.hex(), path, update.size, node.transfer_timeout_s,
                wait_s=patience_s if relays else 0.0,
            )  # fmt: skip
            node.changed.notify()  # somebody may wait to get it from us
            return True
        except PeerError as error:
            if error.reason != PeerReason.NOT_FOUND:
                log.info("Update %s not from %s: %s", path.stem[:12], peer.spiffe_id, error)
                return False
        # It may not have seen yet that the roster is closed: show it, and ask once more.
        try:
            await node.client.send(peer, roster_envelope(closed), node.message_timeout_s)
        except PeerError:
            return False
    return False


def _check(node: Node, path: Path, metadata: dict[str, str]) -> Reject | None:
    try:
        file = ParameterFile.open(path)
    except ParameterError as error:
        return Reject(Reason.HEADER, str(error))
    return check_update(file, node.schema, metadata)


async def merge_roster(
    node: Node, context: RoundContext, closed: Closed, checks: Sequence[Reject | None]
) -> Merged:
    """Merge a roster whose files are all here, without those that ``checks`` leaves out."""
    peers: list[Peer] = []
    rejects: list[tuple[int, int]] = []
    for number, reject in zip(closed.roster.members, checks, strict=True):
        peer = context.by_registration[number]
        if reject is None:
            peers.append(peer)
        else:
            log.warning("The update of %s is left out: %s", peer.spiffe_id, reject.text)
            rejects.append((number, int(reject.reason)))
    rejected = tuple(sorted(rejects))
    if not peers:
        # Nothing to merge: the model stays what it was, and the row is void.
        base = await node.model(context, context.base_root)
        return Merged(context.base_root, base, (), (), (), {}, rejected)
    updates = [closed.updates[peer.registration].message for peer in peers]
    files = tuple(node.store.path(context.round, update.root) for update in updates)
    weights = tuple(merge_weights(context, peers))
    samples = {update.registration: update.samples for update in updates}
    ground = await merge_ground(node, context)
    started = asyncio.get_running_loop().time()
    root, path, coefficients = await asyncio.to_thread(
        _merge_and_keep, node, context, ground, files, weights
    )
    node.meter.merged(context.round, asyncio.get_running_loop().time() - started)
    return Merged(root, path, tuple(peers), files, weights, samples, rejected, coefficients)


@dataclass(frozen=True, slots=True)
class Ground:
    """What a merge starts from besides the updates."""

    base: Path
    state: Path | None
    """Of a rule that keeps one; None where it starts afresh."""


async def merge_ground(node: Node, context: RoundContext) -> Ground:
    """The round's base, and the state of the merge rule that the base names; fetched if need be."""
    base = await node.model(context, context.base_root)
    if not node.rule.state_schema:
        return Ground(base, None)
    root = state_root(ParameterFile.open(base), merged_metadata(context))
    return Ground(base, await node.rule_state(context, root) if root else None)


def _merge_and_keep(
    node: Node,
    context: RoundContext,
    ground: Ground,
    files: tuple[Path, ...],
    weights: tuple[int, ...],
) -> tuple[bytes, Path, tuple[Fraction, ...] | None]:
    # A name of its own: a thread cannot be cancelled, and may go on beside the next term's merge.
    name = f"merging-{secrets.token_hex(8)}"
    scratch = node.store.scratch(context.round, name)
    state_path = node.store.scratch(context.round, f"{name}-state")
    outcome = merge(
        context.terms.merge_rule,
        [ParameterFile.open(path) for path in files],
        weights,
        scratch,
        merged_metadata(context),
        parameter_e6=context.terms.merge_parameter,
        base=ParameterFile.open(ground.base),
        state=ParameterFile.open(ground.state) if ground.state else None,
        state_path=state_path,
    )
    if outcome.state:
        # First: whoever finds the model must find the state that it names.
        node.store.adopt(state_path, context.round, outcome.state.root)
    root = outcome.written.root
    return root, node.store.adopt(scratch, context.round, root), outcome.coefficients
