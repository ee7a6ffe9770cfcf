"""From what evaluators measured to whole amounts, round by round with the progress budget.

The arithmetic is the product's (`metering.split`, `metering.vesting`, `metering.local_pool`). The
target loss is 0, so that progress is never cut off: every gain pays in proportion.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from metering.contribution import Scores
from metering.local_pool import (
    LocalPool,
    Report,
    local_initial_loss_e9,
    lower_median,
    round_gain_e9,
)
from metering.split import Row, equal_row, local_row, metered_row, organization_scores
from metering.vesting import Pool, credits_wei, vested_wei
from scripts.bench_metering.datasets import Floats
from scripts.bench_metering.pairwise import pairwise_credits_wei
from scripts.bench_metering.views import View

POOL_WEI = 10**24
TARGET_LOSS_E9 = 0

Amounts = dict[int, int]
Bend = Callable[[int, Report], Report]
"""What an organization (party) makes of the report that it should give."""


def pay_common(view: View, method: str, parties: Sequence[int]) -> Amounts:
    """Pay by one agreed validation set: the row that everyone computes alike."""
    pool = Pool(POOL_WEI, view.initial_loss_e9, TARGET_LOSS_E9)
    for (_, after_e9), scores in zip(view.losses_e9, view.scores[method], strict=True):
        row = equal_row(parties) if method == "equal" else common_row(scores, parties)
        pool.settle(after_e9, row)
    return _complete(pool.credited_wei, parties)


def common_row(scores: Scores, parties: Sequence[int]) -> Row:
    return metered_row(organization_scores(scores.phi.tolist(), parties))


def pay_local(
    views: Mapping[int, View],
    method: str,
    parties: Sequence[int],
    rows_from: Mapping[int, View] | None = None,
    bend: Bend = lambda party, report: report,
) -> Amounts:
    """Pay by everyone's own held-out data, as the contract does under `local`.

    Args:
        views: party to what it measured on its held-out data.
        method: of the scores.
        parties: party of each node, ascending.
        rows_from: what rows are made from, where that is not the held-out data.
        bend: turns an honest report into the one that is given.
    """
    pool = LocalPool(POOL_WEI, _initial_loss_e9(views), TARGET_LOSS_E9)
    for reports in _reports(views, method, parties, rows_from or views, bend):
        pool.seal(sorted(reports))
        for party, report in reports.items():
            pool.report(party, report)
    pool.settle()
    return _complete(pool.credited_wei, parties)


def pay_pairwise(
    views: Mapping[int, View],
    method: str,
    parties: Sequence[int],
    rows_from: Mapping[int, View] | None = None,
    bend: Bend = lambda party, report: report,
) -> Amounts:
    """Pay the same reports by the pairwise rule, with the same budget; arguments of `pay_local`."""
    span_e9 = _initial_loss_e9(views) - TARGET_LOSS_E9
    sum_e9 = best_e9 = 0
    paid: Amounts = dict.fromkeys(sorted(set(parties)), 0)
    for reports in _reports(views, method, parties, rows_from or views, bend):
        roster = sorted(reports)
        sum_e9 += round_gain_e9(roster, reports)
        best_e9 = max(best_e9, sum_e9)
        available_wei = vested_wei(POOL_WEI, best_e9, span_e9) - sum(paid.values())
        gains_e9 = {
            party: report.loss_before_e9 - report.loss_after_e9 for party, report in reports.items()
        }
        rows = {party: report.row for party, report in reports.items()}
        now_wei = pairwise_credits_wei(available_wei, roster, rows, gains_e9)
        for party, amount_wei in now_wei.items():
            paid[party] += amount_wei
    return paid


def pay_once(phi: Floats) -> Amounts:
    """Pay the whole pool by one row of scores: an audit's."""
    parties = range(len(phi))
    row = metered_row(dict(zip(parties, phi.tolist(), strict=True)))
    amounts = credits_wei(POOL_WEI, [bips for _, bips in row])
    return _complete(
        {party: amount for (party, _), amount in zip(row, amounts, strict=True)}, parties
    )


def shares(amounts: Amounts) -> Floats:
    """Return each party's part of all that was paid, parties ascending; zeros if nothing was."""
    total = sum(amounts.values())
    return np.array([amounts[party] / total if total else 0.0 for party in sorted(amounts)])


def misallocated(amounts: Amounts, truth: Floats) -> float:
    """Return the part of the pot paid to the wrong site: half the L1 distance of shares.

    The truth's shares are phi_i+ / Σ phi_k+, as the split makes them: harm is worth nothing.
    """
    deserved = np.maximum(truth, 0)
    return 0.5 * float(np.abs(shares(amounts) - deserved / deserved.sum()).sum())


def _initial_loss_e9(views: Mapping[int, View]) -> int:
    attested_e9 = [view.initial_loss_e9 for view in views.values()]
    return local_initial_loss_e9(attested_e9, lower_median(attested_e9))


def measured_rows(
    views: Mapping[int, View], method: str, parties: Sequence[int]
) -> list[dict[int, Row]]:
    """Return the rows that honest organizations report, round by round: party to row."""
    roster = sorted(set(parties))
    return [
        {
            party: local_row(
                party,
                roster,
                organization_scores(views[party].scores[method][number].phi.tolist(), parties),
            )
            for party in roster
        }
        for number in range(len(views[roster[0]].losses_e9))
    ]


def _reports(
    views: Mapping[int, View],
    method: str,
    parties: Sequence[int],
    rows_from: Mapping[int, View],
    bend: Bend,
) -> list[dict[int, Report]]:
    return [
        {
            party: bend(party, Report(*views[party].losses_e9[number], row))
            for party, row in rows.items()
        }
        for number, rows in enumerate(measured_rows(rows_from, method, parties))
    ]


def _complete(credited_wei: Mapping[int, int], parties: Sequence[int]) -> Amounts:
    return {party: credited_wei.get(party, 0) for party in sorted(set(parties))}
