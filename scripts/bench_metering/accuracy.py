"""How much of the pot goes to the wrong site, for every method and every kind of evidence.

Evidence is whose data the scores are measured on:

    common    the agreed validation set: half of the 30 %; the other half tests the truth
    test      the truth's own test set is the agreed one: what a very large agreed set would do
    local     everyone's own held-out rows, 20 %; all of the 30 % test the truth
    whole     rows of shares measured on all own rows, trained on or not; gains as in local
    pairwise  the reports of local, split by `pairwise`; pairwise-whole: the reports of whole
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from metering.contribution import METHODS, retrain_audit
from scripts.bench_metering.datasets import Cell, Floats
from scripts.bench_metering.federation import STEPS, Federation, train, true_values, utilities
from scripts.bench_metering.models import Model
from scripts.bench_metering.payers import (
    Amounts,
    misallocated,
    pay_common,
    pay_local,
    pay_once,
    pay_pairwise,
)
from scripts.bench_metering.views import View, look

DEFAULT = "aumann-shapley"
BLIND = ("cosine", "size", "equal")
"""Methods that see no validation data: only the budget depends on it."""


@dataclass(frozen=True, slots=True)
class Result:
    """What one way of paying came to in one cell."""

    method: str
    evidence: str
    amounts: Amounts
    misallocated: float
    passes: float
    """A round, over one evaluator's data: a forward pass is 1, a backward pass 2. Of an audit: a
    round of all its trainings, over the training data."""
    gaps: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True)
class Judged:
    """A cell's truth, under either evidence, and what every way of paying came to."""

    cell: Cell
    truth_common: Floats
    truth_local: Floats
    results: tuple[Result, ...]


def judge(cell: Cell, model: Model) -> Judged:
    """Train all coalitions of a cell, twice, and pay by every method."""
    start = model.start(cell.seed)
    whole = train(model, start, cell.sites)
    truth_common = true_values(model, whole, cell.halves()[1])
    results = list(_agreed(cell, model, whole, truth_common))
    rows, _ = cell.held_back()
    held = train(model, start, rows)
    truth_local = true_values(model, held, cell.judges)
    results += _own(cell, model, held, truth_local)
    return Judged(cell, truth_common, truth_local, tuple(results))


def _agreed(cell: Cell, model: Model, federation: Federation, truth: Floats) -> Iterator[Result]:
    parties = range(len(cell.sites))
    samples = [len(site) for site in cell.sites]
    agreed, test = cell.halves()
    for evidence, data, methods in (("common", agreed, tuple(METHODS)), ("test", test, (DEFAULT,))):
        view = look(model, federation.steps, data, samples, methods)
        for method in methods:
            amounts = pay_common(view, method, parties)
            yield _result(method, evidence, amounts, truth, view)
        worth = utilities(model, federation, data)
        amounts = pay_once(retrain_audit(worth.__getitem__, len(parties)))
        passes = 3.0 * STEPS * (2 * len(parties) + 1)
        yield Result("retrain-audit", evidence, amounts, misallocated(amounts, truth), passes)


def _own(cell: Cell, model: Model, federation: Federation, truth: Floats) -> Iterator[Result]:
    parties = range(len(cell.sites))
    rows, held = cell.held_back()
    samples = [len(site) for site in rows]
    methods = [name for name in METHODS if name not in BLIND]
    own = {
        party: look(model, federation.steps, data, samples, methods)
        for party, data in enumerate(held)
    }
    for method in methods:
        yield _result(method, "local", pay_local(own, method, parties), truth, own[0])
    whole = {
        party: look(model, federation.steps, data, samples, [DEFAULT])
        for party, data in enumerate(cell.sites)
    }
    for evidence, amounts in (
        ("whole", pay_local(own, DEFAULT, parties, whole)),
        ("pairwise", pay_pairwise(own, DEFAULT, parties)),
        ("pairwise-whole", pay_pairwise(own, DEFAULT, parties, whole)),
    ):
        yield _result(DEFAULT, evidence, amounts, truth, own[0])
    equal = dict.fromkeys(parties, 1)
    yield Result("equal", "local", equal, misallocated(equal, truth), 0.0)


def _result(method: str, evidence: str, amounts: Amounts, truth: Floats, view: View) -> Result:
    scores = view.scores[method]
    passes = sum(own.passes for own in scores) / len(scores)
    gaps = tuple(own.gap for own in scores)
    return Result(method, evidence, amounts, misallocated(amounts, truth), passes, gaps)
