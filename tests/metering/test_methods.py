"""Every method keeps exactly the promises it makes: those it does not make, it breaks somewhere.

One function a promise measures how far a round's scores are from keeping it. A promise that is made
must be kept in every round; for one that is not made, some round must show why not.
"""

from __future__ import annotations

import math
import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import pytest

from metering.contribution import GAP_LIMIT, METHODS, AumannShapley, Method, Promise, Round
from metering.errors import MeteringError
from metering.split import metered_bips
from tests.metering.federation import FEATURES, draw, gradient, loss, round_of, train

RNG = np.random.default_rng(11)
VALIDATION, OTHER_VALIDATION = draw(RNG, 1500), draw(RNG, 300, flipped=0.2)
SITES = [
    draw(RNG, n, flipped) for n, flipped in ((400, 0), (150, 0), (90, 0.1), (250, 0), (200, 0.45))
]
SAMPLES = (400, 150, 90, 250, 200)
WEIGHTS = (3.0, 1.0, 1.0, 2.0, 1.5)
START, HALFWAY = np.zeros(FEATURES + 1), np.full(FEATURES + 1, 0.2)


def rounds() -> list[Round]:
    """Six sites: five and a twin of the first; honest steps, and one far too long."""
    made = []
    for base, steps, reach in ((START, 5, 1), (HALFWAY, 8, 1), (START, 5, 6)):
        updates = [reach * train(base, data, steps) for data in SITES]
        made.append(
            round_of(
                base, [*updates, updates[0]], VALIDATION, [*WEIGHTS, WEIGHTS[0]], [*SAMPLES, 77]
            )
        )
    return made


ROUNDS = rounds()


def relative(difference: np.ndarray | float, phi: np.ndarray) -> float:
    return float(np.abs(difference).max() / np.abs(phi).max())


def inefficiency(method: Method, round: Round) -> float:
    change = round.loss(0 * round.updates[0]) - round.loss(round.step(frozenset(range(round.n))))
    return abs(method(round).phi.sum() - change) / abs(change)


def reordered(round: Round, order: Sequence[int]) -> Round:
    return replace(
        round,
        weights=tuple(round.weights[i] for i in order),
        updates=[round.updates[i] for i in order],
        samples=tuple(round.samples[i] for i in order),
    )


def asymmetry(method: Method, round: Round) -> float:
    phi = method(round).phi
    order = [3, 0, 5, 1, 4, 2]
    renumbered = relative(method(reordered(round, order)).phi - phi[order], phi)
    return max(renumbered, relative(phi[0] - phi[5], phi))  # the first and its twin


def pay_for_nothing(method: Method, round: Round) -> float:
    updates = [*round.updates]
    updates[1] = np.zeros_like(updates[1])
    phi = method(replace(round, updates=updates)).phi
    return relative(phi[1], phi)


def gain_by_splitting(method: Method, round: Round) -> float:
    """The first site enters as three, with .2, .3 and .5 of its weight and samples."""
    weight, count = round.weights[0], round.samples[0]
    parts = [count // 5, 3 * count // 10, count - count // 5 - 3 * count // 10]
    cut = replace(
        round,
        weights=(0.2 * weight, 0.3 * weight, 0.5 * weight, *round.weights[1:]),
        updates=[round.updates[0]] * 3 + [*round.updates[1:]],
        samples=(*parts, *round.samples[1:]),
    )
    whole, pieces = method(round).phi, method(cut).phi
    return max(
        relative(pieces[:3].sum() - whole[0], whole), relative(pieces[3:] - whole[1:], whole)
    )


def nonlinearity(method: Method, round: Round) -> float:
    """Scores by two evaluators' losses against scores by their sum."""
    base = HALFWAY
    one = round_of(base, round.updates, VALIDATION, round.weights, round.samples)
    other = round_of(base, round.updates, OTHER_VALIDATION, round.weights, round.samples)
    both = replace(
        one,
        loss=lambda d: loss(base + d, VALIDATION) + loss(base + d, OTHER_VALIDATION),
        gradient=lambda d: gradient(base + d, VALIDATION) + gradient(base + d, OTHER_VALIDATION),
    )
    phi = method(both).phi
    return relative(method(one).phi + method(other).phi - phi, phi)


VIOLATION: dict[Promise, Callable[[Method, Round], float]] = {
    Promise.EFFICIENT: inefficiency,
    Promise.SYMMETRIC: asymmetry,
    Promise.NULL: pay_for_nothing,
    Promise.SPLIT_PROOF: gain_by_splitting,
    Promise.LINEAR: nonlinearity,
}


@pytest.fixture(params=METHODS.values(), ids=METHODS)
def method(request: pytest.FixtureRequest) -> Method:
    return request.param


@pytest.mark.parametrize("promise", Promise)
def test_a_method_keeps_the_promises_it_makes_and_makes_all_it_keeps(
    method: Method, promise: Promise
) -> None:
    integrates = method.name == "aumann-shapley"
    tolerance = GAP_LIMIT if integrates and promise is Promise.EFFICIENT else 1e-9
    if integrates and promise is Promise.LINEAR:
        method = AumannShapley(gap_limit=math.inf)  # the same points for every evaluator
    worst = max(VIOLATION[promise](method, round) for round in ROUNDS)
    if promise in method.promises:
        assert worst <= tolerance
    else:
        assert worst > 1e-4


def test_the_gap_a_method_reports_is_the_one_it_has(method: Method) -> None:
    for round in ROUNDS:
        gap = method(round).gap
        if np.isnan(gap):
            assert method(round).passes == 0, "only rules that look at no losses report no gap"
        else:
            assert gap == pytest.approx(inefficiency(method, round), abs=1e-12)


def test_passes_are_the_work_that_was_done(method: Method) -> None:
    work = 0.0

    def counted_loss(step: np.ndarray) -> float:
        nonlocal work
        work += 1
        return ROUNDS[0].loss(step)

    def counted_gradient(step: np.ndarray) -> np.ndarray:
        nonlocal work
        work += 3
        assert ROUNDS[0].gradient is not None
        return ROUNDS[0].gradient(step)

    passes = method(replace(ROUNDS[0], loss=counted_loss, gradient=counted_gradient)).passes
    assert passes == work


COST_OF_SIX = {
    "aumann-shapley": 2 + 3 * 3,
    "two-n": 2 * 6 + 2,
    "complementary": 8 * 6,
    "multi-round-shapley": 2**6,
    "leave-one-out": 6 + 2,
    "banzhaf": 2**6,
    "cosine": 0,
    "size": 0,
    "equal": 0,
}


def test_a_method_costs_what_its_docstring_says(method: Method) -> None:
    assert method(ROUNDS[0]).passes <= COST_OF_SIX[method.name]


def test_shares_do_not_depend_on_the_unit_of_the_loss(method: Method) -> None:
    round = ROUNDS[1]
    assert round.gradient is not None
    slope = round.gradient
    in_bits = replace(round, loss=lambda d: 4 * round.loss(d), gradient=lambda d: 4 * slope(d))
    shares = metered_bips(method(round).phi.tolist())
    assert metered_bips(method(in_bits).phi.tolist()) == shares != ()


def test_every_row_pays_all_but_the_dust(method: Method) -> None:
    assert 10_000 - 6 < sum(metered_bips(method(ROUNDS[1]).phi.tolist())) <= 10_000


def test_a_loss_that_is_not_finite_is_refused_by_whoever_looks_at_it() -> None:
    absurd = replace(ROUNDS[0], loss=lambda _: float("nan"))
    for name in METHODS.keys() - {"cosine", "size", "equal"}:
        with pytest.raises(MeteringError, match="nan"):
            METHODS[name](absurd)
    steep = replace(ROUNDS[0], gradient=lambda d: np.full_like(d, np.inf))
    with pytest.raises(MeteringError, match="gradient"), np.errstate(invalid="ignore"):
        METHODS["aumann-shapley"](steep)


@pytest.mark.parametrize("name", ["multi-round-shapley", "banzhaf"])
def test_more_than_ten_sites_are_too_many_to_enumerate(name: str) -> None:
    crowd = round_of(START, [START] * 11, VALIDATION)
    with pytest.raises(MeteringError, match="at most 10"):
        METHODS[name](crowd)


@pytest.mark.parametrize(
    "changes",
    [
        {"weights": (0.5, 0.5)},
        {"weights": (0.5, 0.1, 0.1, 0.1, 0.1, 0.2)},
        {"weights": (1.5, -0.1, -0.1, -0.1, -0.1, -0.1)},
        {"samples": ()},
    ],
)
def test_a_round_that_was_never_merged_is_refused(changes: dict[str, tuple[float, ...]]) -> None:
    with pytest.raises(MeteringError, match="weights"):
        replace(ROUNDS[0], **changes)


REPLAY = """
import numpy as np
from metering.contribution import METHODS, Round, block_dot
rng = np.random.default_rng(3)
updates = list(rng.standard_normal((6, 500)))
goal = rng.standard_normal(500)
def loss(d):
    off = d - goal
    return block_dot(off, off) + block_dot(off * off, off * off) / 100
def gradient(d):
    off = d - goal
    return 2 * off + off * off * off / 25
seen = Round((1 / 6,) * 6, updates, loss, gradient, (10, 20, 30, 40, 50, 60))
for name, method in METHODS.items():
    print(name, method(seen).phi.tobytes().hex())
"""


def test_a_replay_gives_the_same_bits_in_any_process_and_on_any_kernel() -> None:
    """Where loss and gradient have the same bits, so have the scores: nothing of ours uses BLAS."""
    outputs = set()
    for seed, kernel in (("1", "HASWELL"), ("2", "PRESCOTT")):
        environment = {**os.environ, "PYTHONHASHSEED": seed, "OPENBLAS_CORETYPE": kernel}
        replay = subprocess.run(
            [sys.executable, "-c", REPLAY], env=environment, capture_output=True, check=True
        )
        outputs.add(replay.stdout)
    assert len(outputs) == 1
    assert outputs.pop().count(b"\n") == len(METHODS)
