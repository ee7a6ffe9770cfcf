"""`local`: each organization judges the others on its own held-out data.

Row j is organization j's opinion of the O organizations of the roster, in ascending order: its own
entry is 0, all together are at most 10,000. What a row leaves empty is divided equally among the
others; so an abstention is a row of zeros, and a row that never came counts as one. Nobody can
favor a friend by more than 1.75 equal parts: (O−1) · r_ji + 10,000 − Σ_k r_jk ≤ 17,500. (At twice
an equal part two of five who favor each other gain .097 of the pot in the benchmark; the tighter
cap costs no accuracy.) With r_ji the entry of row j for organization i, zero where there is no row,

    num_i = Σ_{j≠i} [(O−1) · r_ji + 10,000 − Σ_k r_jk]
    den   = 10,000 · O · (O−1)
    credit_i = ⌊available · num_i / den⌋

Organization i's own row is in no term of num_i, and all num together are den: neither its report
nor its silence can change its own share, now or, by leaving money over, in a later round. With
fewer than 4 organizations rows do not count, and all are paid equally: of three, two could divide
the third's pay.

The contract computes the same whole numbers. Sites without validation data abstain: their scores
are None, their row is all zeros.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fractions import Fraction
from math import floor, isfinite

from metering.errors import MeteringError
from metering.split.rows import FULL_BIPS, Row, check_row, equal_bips

LEAST_ORGANIZATIONS = 4
"""In the roster, for rows to count."""

MOST_BIPS = 17_500
"""Of an equal part: what one organization may give another at the most."""


def cap_bips(organizations: int, given_bips: int = FULL_BIPS) -> int:
    """Return the most that an entry may be in a row that gives `given_bips` in all.

    Among O ≥ 2 organizations: with its part of what the row leaves, 1.75 equal parts.
    """
    return (MOST_BIPS - FULL_BIPS + given_bips) // (organizations - 1)


def local_row(own: int, parties: Sequence[int], scores: Mapping[int, float] | None) -> Row:
    """Return what organization `own` reports: the others' positive scores, in proportion, capped.

    What is cut off at the cap goes to the others in proportion, until they reach it: entries are
    ⌊min(cap, λ·score)⌋, with the λ that uses everything up. If all whose score is positive are at
    the cap, the rest of the row stays empty, and is divided equally among all others; the cap is
    then lower.

    Args:
        own: this organization, one of the roster.
        parties: the organizations of the roster, ascending.
        scores: party to score, of all others at least; None to abstain.

    Returns:
        One entry an organization of the roster; all zeros when abstaining, and when nobody else's
        score is positive.
    """
    if own not in parties:
        raise MeteringError(
            f"organization {own} is not in the roster {list(parties)}: it has no row"
        )
    entries = dict.fromkeys(parties, 0)
    if scores is not None and len(parties) > 1:
        unseen = sorted(set(parties) - scores.keys() - {own})
        if unseen:
            raise MeteringError(f"no score of the organizations {unseen}")
        others = {party: scores[party] for party in parties if party != own}
        if not all(map(isfinite, others.values())):
            raise MeteringError(f"scores must be finite, got {others}")
        exact = {party: Fraction(score) for party, score in others.items() if score > 0}
        entries |= _filled(exact, cap_bips(len(parties), FULL_BIPS))
    return tuple(_capped(entries).items())


def check_local_row(own: int, parties: Sequence[int], row: Sequence[tuple[int, int]]) -> Row:
    """Return the row if the contract would take it as `own`'s opinion of the roster."""
    checked = check_row(row)
    if tuple(party for party, _ in checked) != tuple(parties):
        raise MeteringError(f"a row over {[p for p, _ in row]}, the roster is {list(parties)}")
    entries = dict(checked)
    if entries.get(own) != 0:
        raise MeteringError(f"organization {own} has no zero for itself in {row}")
    given_bips = sum(entries.values())
    if given_bips and max(entries.values()) > cap_bips(len(parties), given_bips):
        most = cap_bips(len(parties), given_bips)
        raise MeteringError(f"an entry of {row} exceeds {most} basis points")
    return checked


def local_parts(
    parties: Sequence[int], rows: Mapping[int, Row | None]
) -> tuple[dict[int, int], int]:
    """Return what part of a round each organization gets: party to numerator, and the divisor.

    Args:
        parties: the organizations of the roster, ascending; at least one.
        rows: party to its row, as far as known, in any order; None and all zeros are abstentions,
            rows of organizations that are not in the roster do not count.
    """
    count = len(parties)
    if count < LEAST_ORGANIZATIONS:
        return dict(zip(parties, equal_bips(count), strict=True)), FULL_BIPS
    numerators = dict.fromkeys(parties, 0)
    for reporter in parties:
        row = rows.get(reporter)
        opinion = dict(check_local_row(reporter, parties, row)) if row else {}
        rest = FULL_BIPS - sum(opinion.values())
        for party in parties:
            if party != reporter:
                numerators[party] += (count - 1) * opinion.get(party, 0) + rest
    return numerators, FULL_BIPS * count * (count - 1)


def local_credits_wei(
    available_wei: int, parties: Sequence[int], rows: Mapping[int, Row | None]
) -> dict[int, int]:
    """Return what a round that divides `available_wei` credits: party to wei, see `local_parts`."""
    numerators, divisor = local_parts(parties, rows)
    return {party: available_wei * part // divisor for party, part in numerators.items()}


def _filled(scores: Mapping[int, Fraction], cap: int) -> dict[int, int]:
    """Divide 10,000 in proportion to positive scores, none above the cap."""
    entries: dict[int, int] = {}
    free = dict(scores)
    while free:
        rate = (FULL_BIPS - cap * len(entries)) / sum(free.values())
        full = [party for party, score in free.items() if rate * score >= cap]
        if not full:
            return entries | {party: floor(rate * score) for party, score in free.items()}
        for party in full:
            entries[party] = cap
            del free[party]
    return entries


def _capped(entries: dict[int, int]) -> dict[int, int]:
    """Cut entries until all are within the cap, which sinks with what the row gives."""
    while (given_bips := sum(entries.values())) and max(entries.values()) > (
        most := cap_bips(len(entries), given_bips)
    ):
        entries = {party: min(bips, most) for party, bips in entries.items()}
    return entries
