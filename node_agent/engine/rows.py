"""From scores to the row of shares that goes under an attestation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from metering.split import (
    LEAST_ORGANIZATIONS,
    Row,
    cap_bips,
    equal_row,
    local_row,
    metered_row,
    node_weights,
    organization_scores,
    size_row,
)
from node_agent.engine.context import METERING_COMMON, METERING_SIZE, RoundContext
from node_agent.errors import MessageRefused
from node_agent.peers.protocol import Peer


def merge_weights(context: RoundContext, merged: Sequence[Peer]) -> list[int]:
    """Integer weights of the merged nodes: each organization's, split evenly over its nodes."""
    return node_weights([peer.party for peer in merged], context.weights)


def needs_gradient(context: RoundContext, merged: Sequence[Peer]) -> bool:
    """Is pay metered in this round? Two organizations always split equally.

    Under `local` three do as well: of three, two could divide the third's pay.
    """
    organizations = len({peer.party for peer in merged})
    if context.local:
        return organizations >= LEAST_ORGANIZATIONS
    return context.terms.metering == METERING_COMMON and organizations > 2


def opinion(
    context: RoundContext, own: int, merged: Sequence[Peer], scores: Sequence[float] | None
) -> Row:
    """What the organization of node ``own`` says of the others, under `local` metering.

    All zeros, an abstention, where there are no ``scores``: no data, or fewer than four are merged.
    An organization that is not merged has no say, but lists the same ones. Empty: nobody is.
    """
    parties = [peer.party for peer in merged]
    roster = sorted(set(parties))
    party = context.by_registration[own].party
    if scores is None or party not in roster:
        return tuple((each, 0) for each in roster)
    return local_row(party, roster, organization_scores(scores, parties))


def check_opinion(context: RoundContext, party: int, row: Row) -> None:
    """Hold a row that ``party`` signed under `local` metering to what the contract takes.

    Raises ``MessageRefused``. Whom it has to list is not asked here: see ``Book``.
    """
    entries = dict(row)
    if context.round == 0 and row:
        raise MessageRefused("round 0 has no roster to say anything of")
    if entries.get(party, 0):
        raise MessageRefused("the row has a share for its own organization")
    given_bips = sum(entries.values())
    most = cap_bips(len(row), given_bips) if len(row) > 1 else 0
    if any(bips > most for bips in entries.values()):
        raise MessageRefused(f"the row gives an organization more than {most} basis points")


def row(
    context: RoundContext,
    merged: Sequence[Peer],
    samples: Mapping[int, int],
    scores: Sequence[float] | None,
) -> Row:
    """(party, basis points), ascending by party; empty is the void row.

    ``samples``: registration -> samples of its update. ``scores``: phi per merged node, in order;
    None when pay is not metered in this round.
    """
    parties = [peer.party for peer in merged]
    if scores is not None:
        return metered_row(organization_scores(scores, parties))
    if context.terms.metering == METERING_SIZE:
        totals = dict.fromkeys(parties, 0)
        for peer in merged:
            totals[peer.party] += samples[peer.registration]
        return size_row(totals)
    return equal_row(parties)
