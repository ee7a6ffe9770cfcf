"""From reports to shares: the row that a round's pay was divided by."""

from __future__ import annotations

import math
from pathlib import Path

from contracts.messages import Attestation, unpack_shares
from marketplace.audit.commits import Sealed, header
from marketplace.audit.findings import Findings, Step
from marketplace.audit.merging import Merge
from marketplace.audit.money import Money
from marketplace.audit.records import Records
from marketplace.audit.scores import Measure, Measured, organization_scores
from metering.agreement import Measurement, agrees
from metering.fixed import LOSS_LIMIT_E9, METRIC_LIMIT_E9, SCALE, metric_to_fixed, to_fixed
from metering.split import VOID, Row, equal_row, metered_row, size_row
from node_agent.errors import NodeError

_SIZE, _COMMON = 1, 2
_WITHIN = 1 - 1e-9  # of the largest number that fits: floats that large are coarse
_REFUSALS_BEFORE_VOID = 2


class Rows:
    """Checks rows. `measure`: the agreed measurement; without it, metered rows stand as signed."""

    def __init__(
        self, records: Records, findings: Findings, money: Money, measure: Measure | None
    ) -> None:
        self._records, self._findings, self._money = records, findings, money
        self._measure = measure

    def check(self, sealed: Sealed, merge: Merge | None) -> str:
        """Hold a round's row to what went into the merge; says how far that was possible.

        Raises FirstDifference.
        """
        place, attestation = sealed.place(Step.ROW), sealed.attestation
        row = unpack_shares(attestation.shares)
        if attestation.round == 0:
            return ""
        if merge is None:
            # Who signed it was checked with the seal; what it has to be, nobody can tell any more.
            self._findings.done(Step.ROW)
            return "as signed"
        roster = sorted(set(merge.parties))
        if not row and (not roster or attestation.term >= _REFUSALS_BEFORE_VOID):
            self._findings.done(Step.ROW)
            return "void"
        if row:
            listed = [party for party, _ in row]
            self._findings.same(place, "parties in the row", roster, listed)
        metering = self._records.terms.metering
        if metering != _COMMON or len(roster) == 2:
            expected = self._unmetered(merge) if metering == _SIZE else equal_row(merge.parties)
            self._findings.same(place, "shares", _shown(expected), _shown(row))
        elif self._measure is None:
            self._findings.done(Step.ROW)
            return "as signed"
        elif not self._remeasured(sealed, merge, self._measure):
            return "as signed"
        self._findings.done(Step.ROW)
        return "recomputed"

    def check_start(self, sealed: Sealed, base: Path | None) -> None:
        """Round 0: hold the loss that everything is counted from to the agreed measurement."""
        if self._measure is None or self._records.terms.metering != _COMMON:
            return
        if base is None:
            reason = f"no artifacts hold the initial model {sealed.base_root.hex()}"
            self._findings.gap(sealed.place(Step.ROW), reason)
            return
        self._agrees(sealed, self._measure(base, base, (), None), VOID)
        self._findings.done(Step.ROW)

    def _unmetered(self, merge: Merge) -> Row:
        totals = dict.fromkeys(merge.parties, 0)
        for party, commit in zip(merge.parties, merge.commits, strict=True):
            totals[party] += commit.update.samples
        return size_row(totals)

    def _remeasured(self, sealed: Sealed, merge: Merge, measure: Measure) -> bool:
        place = sealed.place(Step.ROW)
        if merge.merged is None or merge.whole is None:
            self._findings.gap(place, "the models before and after are not both there")
            return False
        try:
            about = header(sealed, "merged")
            measured, scores = organization_scores(measure, merge.whole, merge.merged, about)
        except NodeError as error:
            self._findings.gap(place, f"the measurement cannot be used: {error}")
            return False
        self._agrees(sealed, measured, metered_row(scores) if scores else VOID)
        return True

    def _agrees(self, sealed: Sealed, measured: Measured, row: Row) -> None:
        """Hold the signed row to one's own by the tolerance that nodes sign by."""
        attestation = sealed.attestation
        mine = Measurement(
            _loss_e9(measured.loss_before),
            _loss_e9(measured.loss_after),
            _metric_e9(measured.metric),
            row,
        )
        difference = agrees(
            mine,
            _measurement(attestation),
            available_wei=self._money.available_wei(attestation.loss_after),
            pool_wei=self._money.funded_wei,
        )
        if difference:
            organization, what = "", difference.what
            if what.startswith("credit of party "):
                organization = self._records.organization(int(what.split()[3]))
                what = "credit [wei] by its shares"
            self._findings.differ(
                sealed.place(Step.ROW, organization),
                what,
                f"{difference.mine} ± {difference.allowed}",
                str(difference.proposed),
            )


def _loss_e9(loss: float) -> int:
    """As a node attests it: a diverged model has the worst loss there is."""
    fits = math.isfinite(loss) and loss <= LOSS_LIMIT_E9 / SCALE * _WITHIN
    return to_fixed(loss) if fits else LOSS_LIMIT_E9


def _metric_e9(metric: float) -> int:
    limit = METRIC_LIMIT_E9 / SCALE * _WITHIN
    return metric_to_fixed(max(-limit, min(limit, metric)) if math.isfinite(metric) else 0.0)


def _measurement(attestation: Attestation) -> Measurement:
    return Measurement(
        attestation.loss_before,
        attestation.loss_after,
        attestation.metric,
        unpack_shares(attestation.shares),
    )


def _shown(row: Row) -> str:
    return " ".join(f"{party}:{bips}" for party, bips in row) or "void"
