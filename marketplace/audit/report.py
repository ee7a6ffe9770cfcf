"""What an audit says, for people and for programs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from marketplace.audit.retrain import By, Retrained, misplaced
from marketplace.audit.walk import Audit, totals_wei
from marketplace.cli.output import table

_SHOWN_GAPS = 8


def as_json(result: Audit, retrained: Sequence[Retrained] = (), by: By = By.LOSS) -> dict[str, Any]:
    """All of it; amounts in wei as decimal strings."""
    records = result.records
    money = result.money
    return {
        "run": "0x" + records.run_id.hex(),
        "name": records.run.name,
        "chain_id": records.deployment.chain_id,
        "block": records.block,
        "block_hash": records.block_hash,
        "verdict": verdict(result),
        "difference": result.difference.to_json() if result.difference else None,
        "recomputed": {str(step): count for step, count in result.findings.recomputed.items()},
        "not_recomputed": [gap.to_json() for gap in result.findings.gaps],
        "rounds": [
            {
                "round": each.round,
                "transaction": each.transaction,
                "updates": each.updates,
                "merged": each.merged,
                "row": each.row,
                "credited_wei": {
                    records.organization(party): str(wei)
                    for party, wei in each.credited_wei.items()
                },
            }
            for each in result.rounds
        ],
        "organizations": [
            {
                "organization": records.organization(party),
                "credited_wei": str(wei),
                "claimed_wei": str(money.claimed_wei[party]),
            }
            for party, wei in sorted(money.credited_wei.items())
        ],
        "totals_wei": {name: str(wei) for name, wei in totals_wei(result).items()},
        "retrained": [asdict(each) for each in retrained],
        "retrained_by": str(by) if retrained else None,
    }


def verdict(result: Audit) -> str:
    """One word for programs: same, different, incomplete."""
    if result.difference:
        return "different"
    return "same" if result.complete else "incomplete"


def as_text(result: Audit, retrained: Sequence[Retrained] = (), by: By = By.LOSS) -> list[str]:
    """Tables, then what could not be recomputed, then the verdict."""
    records = result.records
    lines = [
        f"run {records.run.name} 0x{records.run_id.hex()}",
        f"chain {records.deployment.chain_id}, up to block {records.block} ({records.block_hash})",
        "",
        _rounds(result),
        "",
        _organizations(result),
        "",
        ", ".join(f"{name} {wei}" for name, wei in totals_wei(result).items()) + " wei",
    ]
    if retrained:
        lines += ["", *_retrained(retrained, by)]
    lines += ["", *_gaps(result), _verdict(result)]
    return lines


def _rounds(result: Audit) -> str:
    rows = [
        (
            each.round,
            "-" if each.updates is None else each.updates,
            "recomputed" if each.merged else "-",
            each.row or "-",
            sum(each.credited_wei.values()),
            each.transaction,
        )
        for each in result.rounds
    ]
    return table(("round", "updates", "merge", "row", "credited [wei]", "transaction"), rows)


def _organizations(result: Audit) -> str:
    money = result.money
    total = sum(money.credited_wei.values())
    rows = [
        (
            result.records.organization(party),
            f"{wei / total:.2%}" if total else "-",
            wei,
            money.claimed_wei[party],
        )
        for party, wei in sorted(money.credited_wei.items())
    ]
    return table(("organization", "share", "credited [wei]", "claimed [wei]"), rows)


def _retrained(rows: Sequence[Retrained], by: By) -> list[str]:
    worth = "loss it took away" if by is By.LOSS else "better metric by"
    shown = [
        (
            each.organization,
            f"{each.value:+.6f}",
            f"{each.retrained_bips / 100:.2f}%",
            f"{each.paid_bips / 100:.2f}%",
            f"{each.equal_bips / 100:.2f}%",
        )
        for each in rows
    ]
    paid, equal = misplaced(tuple(rows))
    return [
        table(("organization", worth, "retrained", "paid", "if equal"), shown),
        f"differs from the retrained shares: {paid:.1%} of what was paid, {equal:.1%} of an equal "
        "split",
    ]


def _gaps(result: Audit) -> list[str]:
    gaps = result.findings.gaps
    lines = [f"not recomputed: {gap}" for gap in gaps[:_SHOWN_GAPS]]
    if len(gaps) > _SHOWN_GAPS:
        left = Counter(str(gap.place.step) for gap in gaps[_SHOWN_GAPS:])
        more = ", ".join(f"{count} of {step}" for step, count in left.items())
        lines.append(f"not recomputed, too: {more}")
    return lines


def _verdict(result: Audit) -> str:
    counts = result.findings.recomputed
    done = ", ".join(f"{step} {count}" for step, count in counts.items())
    if result.difference:
        return f"first difference: {result.difference}\nbefore it, the same: {done or 'nothing'}"
    if result.complete:
        return f"no difference; recomputed: {done}"
    return f"no difference in what could be recomputed: {done}"
