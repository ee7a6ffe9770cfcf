"""`pairwise`: an impartial split of local reports that listens more to those who gain more.

Everyone starts with an equal part, 1/O. Then each pair i, j is settled by what the *others*
reported. With r_ei the entry of organization e's row for i (the rows of `local`: own entry 0), and
g_e the gain that e attested for the round, j hands to i

    t_ij = 1/O · Σ_e w_e · clip(r_ei − r_ej, ±1/(O−1)) / Σ_e w_e,     e ≠ i, j

of the round, w_e = max(0, g_e), but no more than the second highest of these. The share of i is
1/O + Σ_j t_ij; where nobody but i and j has a row and a weight, t_ij = 0.

Impartial: i's own report is in no t_ij, and i's share is made of nothing else; so no report of i,
in whatever round, and no silence changes i's share. Budget-balanced: t_ij = −t_ji, transfers
cancel, shares add up to 1 and nothing is left over for later rounds. Never negative: of O−1
transfers none takes more than 1/(O·(O−1)). A site that everyone gives nothing, and everyone else
at least 1/(O−1), pays all of its 1/O and is left with nothing.

Weights: a site whose labels are wrong, or whose data are unlike the others', gains less by the
merge, and its opinion counts less. The second highest as the limit, and the clipping: nobody can
drown the others out by overstating a gain, nor ruin or enrich a friend by an extreme row.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations

from metering.split import FULL_BIPS, LEAST_ORGANIZATIONS, Row


def pairwise_credits_wei(
    available_wei: int,
    parties: Sequence[int],
    rows: Mapping[int, Row | None],
    gains_e9: Mapping[int, int],
) -> dict[int, int]:
    """Return what a round that divides `available_wei` credits: party to wei.

    All credits together are O · ⌊available / O⌋, whatever was reported.

    Args:
        available_wei: of this round.
        parties: the organizations of the roster, ascending.
        rows: party to its row as of `local`; None and all zeros are abstentions.
        gains_e9: party to the gain it attested; missing counts as none.
    """
    count = len(parties)
    credits = dict.fromkeys(parties, available_wei // count) if count else {}
    if count < LEAST_ORGANIZATIONS:
        return credits
    opinions = {e: dict(row) for e, row in rows.items() if e in credits and row}
    heard = {e: max(gains_e9.get(e, 0), 0) for e, row in opinions.items() if any(row.values())}
    most_bips = FULL_BIPS // (count - 1)
    for i, j in combinations(parties, 2):
        weights = _limited({e: gain for e, gain in heard.items() if e not in (i, j)})
        ahead = sum(
            weight * max(-most_bips, min(most_bips, opinions[e][i] - opinions[e][j]))
            for e, weight in weights.items()
        )
        if ahead == 0:
            continue
        whole = sum(weights.values()) * FULL_BIPS * count
        moved_wei = available_wei * abs(ahead) // whole * (1 if ahead > 0 else -1)
        credits[i] += moved_wei
        credits[j] -= moved_wei
    return credits


def _limited(gains: Mapping[int, int]) -> dict[int, int]:
    """Return gains, none above the second highest."""
    if len(gains) < 2:
        return dict(gains)
    limit = sorted(gains.values())[-2]
    return {party: min(gain, limit) for party, gain in gains.items()}
