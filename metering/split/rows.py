"""From scores to a row of shares: basis points over the roster's organizations, rounded down.

A row is `((party, bips), …)`, parties ascending, as it is signed and recorded. The empty row is
the void row: nobody is paid, and the best loss stays as it was.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from fractions import Fraction
from operator import ge

from metering.errors import MeteringError

FULL_BIPS = 10_000
PARTY_LIMIT = 2**16
VOID: tuple[tuple[int, int], ...] = ()

Row = tuple[tuple[int, int], ...]


def organization_scores(phi: Sequence[float], parties: Sequence[int]) -> dict[int, float]:
    """Add up the scores of each organization's nodes.

    Args:
        phi: score of each node.
        parties: party number of each node, in the same order.

    Returns:
        Party to score, parties ascending.
    """
    if len(phi) != len(parties):
        raise MeteringError(f"{len(phi)} scores of {len(parties)} nodes")
    of_party: dict[int, list[float]] = {party: [] for party in sorted(set(parties))}
    for score, party in zip(phi, parties, strict=True):
        of_party[party].append(score)
    return {party: math.fsum(own) for party, own in of_party.items()}


def node_weights(parties: Sequence[int], weights: Mapping[int, int]) -> list[int]:
    """Return the weight of each node in the merge: its organization's, shared evenly by its nodes.

    All are multiplied by the least common multiple of the node counts, so they stay whole.

    Args:
        parties: party number of each merged node.
        weights: party to the agreement's weight.
    """
    nodes = Counter(parties)
    scale = math.lcm(*nodes.values())
    return [weights[party] * (scale // nodes[party]) for party in parties]


def metered_bips(scores: Sequence[float]) -> tuple[int, ...]:
    """Return phi_i+ / Σ phi_k+ in basis points; () when nobody's score is positive.

    Negative scores count as zero: harm is not paid, and not charged either.
    """
    if not all(math.isfinite(score) for score in scores):
        raise MeteringError(f"scores must be finite, got {list(scores)}")
    parts = [max(Fraction(score), Fraction(0)) for score in scores]
    total = sum(parts)
    return tuple(math.floor(part * FULL_BIPS / total) for part in parts) if total else ()


def size_bips(samples: Sequence[int]) -> tuple[int, ...]:
    """Return each one's part of all samples in basis points; () when there are none."""
    if any(count < 0 for count in samples):
        raise MeteringError(f"numbers of samples cannot be negative, got {list(samples)}")
    total = sum(samples)
    return tuple(count * FULL_BIPS // total for count in samples) if total else ()


def equal_bips(n: int) -> tuple[int, ...]:
    """Return floor(10,000 / n), n times."""
    return (FULL_BIPS // n,) * n if n else ()


def metered_row(scores: Mapping[int, float]) -> Row:
    """Return the row for organizations' scores: two always split equally, more as metered."""
    parties = sorted(scores)
    if len(parties) == 2:
        return equal_row(parties)
    bips = metered_bips([scores[party] for party in parties])
    return tuple(zip(parties, bips, strict=True)) if bips else VOID


def equal_row(parties: Sequence[int]) -> Row:
    """Return the row that splits equally between distinct parties."""
    distinct = sorted(set(parties))
    return tuple(zip(distinct, equal_bips(len(distinct)), strict=True))


def size_row(samples: Mapping[int, int]) -> Row:
    """Return the row by organizations' numbers of samples; two always split equally."""
    parties = sorted(samples)
    if len(parties) == 2:
        return equal_row(parties)
    bips = size_bips([samples[party] for party in parties])
    return tuple(zip(parties, bips, strict=True)) if bips else VOID


def equal_share_bips(parties: Collection[int], party: int) -> int:
    """Return a party's part of `equal_row`; zero if it is not among them."""
    return FULL_BIPS // len(set(parties)) if party in parties else 0


def size_share_bips(samples: Mapping[int, int], party: int) -> int | None:
    """Return a party's part of `size_row`: zero if it is not among them, None of a void row."""
    if len(samples) == 2:
        return equal_share_bips(samples, party)
    if min(samples.values(), default=0) < 0:
        raise MeteringError(f"numbers of samples cannot be negative, got {dict(samples)}")
    total = sum(samples.values())
    return samples.get(party, 0) * FULL_BIPS // total if total else None


def check_row(row: Sequence[tuple[int, int]]) -> Row:
    """Return the row if the contract would take it: parties ascending, at most 10,000 in all."""
    parties, shares = [party for party, _ in row], [bips for _, bips in row]
    if any(map(ge, parties, parties[1:])):
        raise MeteringError(f"the parties of {row} do not ascend")
    if row and (parties[0] < 0 or parties[-1] >= PARTY_LIMIT or min(shares) < 0):
        raise MeteringError(f"{row} has a party or share that does not exist")
    if sum(shares) > FULL_BIPS:
        raise MeteringError(f"the shares of {row} exceed {FULL_BIPS}")
    return tuple(zip(parties, shares, strict=True))
