"""What an organization gains by lying about what it measured, not about what it trained.

    own report, common   the liar leads every round and bends the row as far as the others sign it
    own report, local    the liar's row is all zeros, all for the next one, one basis point for the
                         next one, or upside down; the lie that gains most counts
    cartel               the first two give each other as much as an entry may hold, and the rest
                         of their rows to the others as measured, or to nobody

A gain is the liars' share of what is paid when they lie, less their share when they do not.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from metering.agreement import Measurement, agrees
from metering.local_pool import Report
from metering.split import FULL_BIPS, Row, cap_bips, local_parts
from metering.vesting import Pool
from scripts.bench_metering.attacks import DEFAULT, UPDATES, own_views, run, setups
from scripts.bench_metering.datasets import Cell
from scripts.bench_metering.models import Model
from scripts.bench_metering.payers import (
    POOL_WEI,
    TARGET_LOSS_E9,
    Amounts,
    Bend,
    common_row,
    measured_rows,
    pay_common,
    pay_local,
    pay_pairwise,
    shares,
)
from scripts.bench_metering.views import View, look

LIAR = 0
CARTEL = (0, 1)
PAYERS: Mapping[str, Callable[..., Amounts]] = {"local": pay_local, "pairwise": pay_pairwise}


def own_report(cell: Cell, model: Model) -> dict[str, float]:
    """Return what one liar gains through its own report, by way of paying.

    "local, share" is the change of the liar's part of a round; "local" that of what it is paid in
    the whole run.
    """
    honest = setups(cell, held_back=False)["honest"]
    steps = run(model, honest, UPDATES["honest"], cell.seed)
    samples = [len(site) for site in honest.sites]
    view = look(model, steps, cell.halves()[0], samples, [DEFAULT])
    bent = _bent_leader(view, honest.parties)
    found = {"common": _gain(pay_common(view, DEFAULT, honest.parties), bent, (LIAR,))}

    own = setups(cell, held_back=True)["honest"]
    views = own_views(model, own, UPDATES["honest"], cell.seed)
    found["local, share"] = max(_share_moved(views, own.parties, bend) for bend in LIES)
    for way, payer in PAYERS.items():
        fair = payer(views, DEFAULT, own.parties)
        found[way] = max(
            _gain(fair, payer(views, DEFAULT, own.parties, bend=bend), (LIAR,)) for bend in LIES
        )
    return found


def cartel(cell: Cell, model: Model) -> dict[str, float]:
    """Return what two gain together by favoring each other, by way of paying and kind of row."""
    setup = setups(cell, held_back=True)["honest"]
    views = own_views(model, setup, UPDATES["honest"], cell.seed)
    found = {}
    for way, payer in PAYERS.items():
        fair = payer(views, DEFAULT, setup.parties)
        for kind, bend in CARTELS.items():
            amounts = payer(views, DEFAULT, setup.parties, bend=bend)
            found[f"{way}, {kind}"] = _gain(fair, amounts, CARTEL)
    return found


def _next(party: int, row: Row) -> int:
    parties = [other for other, _ in row]
    return parties[(parties.index(party) + 1) % len(parties)]


def _only(receiver: int, bips: int, row: Row) -> Row:
    return _allowed({party: bips if party == receiver else 0 for party, _ in row})


def _allowed(entries: dict[int, int]) -> Row:
    """Cut entries until the contract takes the row: the cap sinks with what the row gives."""
    while max(entries.values()) > (most := cap_bips(len(entries), sum(entries.values()))):
        entries = {party: min(bips, most) for party, bips in entries.items()}
    return tuple(entries.items())


def _liars_row(made: Callable[[Row], Row]) -> Bend:
    def bend(party: int, report: Report) -> Report:
        if party != LIAR or report.row is None:
            return report
        return replace(report, row=made(report.row))

    return bend


def _upside_down(row: Row) -> Row:
    most = max(bips for _, bips in row)
    raw = {party: 0 if party == LIAR else most - bips for party, bips in row}
    total = max(sum(raw.values()), 1)
    return _allowed({party: bips * FULL_BIPS // total for party, bips in raw.items()})


LIES: tuple[Bend, ...] = (
    _liars_row(lambda row: _only(LIAR, 0, row)),
    _liars_row(lambda row: _only(_next(LIAR, row), FULL_BIPS, row)),
    _liars_row(lambda row: _only(_next(LIAR, row), 1, row)),
    _liars_row(_upside_down),
)


def _favor(party: int, report: Report) -> Report:
    """The friend's entry as high as it may be, the rest as measured."""
    if party not in CARTEL or report.row is None:
        return report
    friend, most = CARTEL[party == CARTEL[0]], cap_bips(len(report.row))
    rest = max(sum(bips for other, bips in report.row if other != friend), 1)
    left = FULL_BIPS - most
    row = {other: most if other == friend else bips * left // rest for other, bips in report.row}
    return replace(report, row=_allowed(row))


def _favor_only(party: int, report: Report) -> Report:
    """The friend's entry as high as it may be, nothing for the others."""
    if party not in CARTEL or report.row is None:
        return report
    friend = CARTEL[party == CARTEL[0]]
    return replace(report, row=_only(friend, FULL_BIPS, report.row))


def _favor_loudly(party: int, report: Report) -> Report:
    """As `_favor_only`, and the gain overstated a thousand times."""
    if party not in CARTEL:
        return report
    favored = _favor_only(party, report)
    gain_e9 = max(report.loss_before_e9 - report.loss_after_e9, 1)
    return replace(favored, loss_before_e9=report.loss_after_e9 + 1_000 * gain_e9)


CARTELS: Mapping[str, Bend] = {
    "rest as measured": _favor,
    "rest for nobody": _favor_only,
    "rest for nobody, gain overstated": _favor_loudly,
}


def _gain(fair: Amounts, lying: Amounts, liars: Sequence[int]) -> float:
    return float((shares(lying) - shares(fair))[list(liars)].sum())


def _share_moved(views: Mapping[int, View], parties: Sequence[int], bend: Bend) -> float:
    moved = 0.0
    for rows in measured_rows(views, DEFAULT, parties):
        bent = {party: bend(party, Report(0, 0, row)).row for party, row in rows.items()}
        (fair, whole), (lying, _) = local_parts(parties, rows), local_parts(parties, bent)
        moved = max(moved, abs(lying[LIAR] - fair[LIAR]) / whole)
    return moved


def _bent_leader(view: View, parties: Sequence[int]) -> Amounts:
    """Return what is paid when the liar's proposals are bent as far as the others sign."""
    pool = Pool(POOL_WEI, view.initial_loss_e9, TARGET_LOSS_E9)
    for losses_e9, scores in zip(view.losses_e9, view.scores[DEFAULT], strict=True):
        row = common_row(scores, parties)
        low, high = 0, FULL_BIPS
        while high - low > 1:
            middle = (low + high) // 2
            signed = _signed(row, _raised(row, middle), losses_e9, pool)
            low, high = (middle, high) if signed else (low, middle)
        pool.settle(losses_e9[1], _raised(row, low))
    return {party: pool.credited_wei.get(party, 0) for party in parties}


def _raised(row: Row, extra: int) -> Row:
    """Return the row with `extra` basis points more for the liar, at everyone else's expense."""
    entries = dict(row)
    if LIAR not in entries:
        return row
    others = sum(bips for party, bips in row if party != LIAR)
    extra = min(extra, others)
    return tuple(
        (party, bips + extra if party == LIAR else bips - -(-bips * extra // max(others, 1)))
        for party, bips in row
    )


def _signed(mine: Row, proposed: Row, losses_e9: tuple[int, int], pool: Pool) -> bool:
    """Tell whether the others, who measured `mine`, would sign the proposed row."""
    return not agrees(
        Measurement(*losses_e9, 0, mine),
        Measurement(*losses_e9, 0, proposed),
        available_wei=pool.available_wei(losses_e9[1]),
        pool_wei=POOL_WEI,
    )
