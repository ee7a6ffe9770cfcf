"""Every per-round method by name: values of the round's game, and the rules that need no losses."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np

from metering.contribution.arithmetic import Float64s, block_dot
from metering.contribution.games import banzhaf, exact_shapley, leave_one_out, two_n
from metering.contribution.path import AumannShapley, efficiency_gap
from metering.contribution.protocol import Game, Method, Promise, Round, RoundGame, Scores
from metering.contribution.sampling import complementary
from metering.errors import MeteringError

EXACT_SITES = 10
"""Most sites whose coalitions are all evaluated in every round: 1,024 forward passes."""


@dataclass(frozen=True, slots=True)
class OfGame:
    """Score a round by a value of its game v(S) = L(W) − L(W + Σ_{i∈S} w_i·u_i).

    Attributes:
        value: the game's value; its formula, cost, properties and source are in its docstring.
        most_sites: beyond which it takes too long; None for any number.
    """

    name: str
    value: Callable[[Game], Float64s]
    promises: frozenset[Promise]
    most_sites: int | None = None

    def __call__(self, round: Round) -> Scores:
        if self.most_sites is not None and round.n > self.most_sites:
            raise MeteringError(
                f"{self.name} of {round.n} sites: at most {self.most_sites}",
                hint="aumann-shapley and complementary take any number of sites.",
            )
        game = RoundGame(round)
        phi = self.value(game)
        before, after = game.loss(frozenset()), game.loss(frozenset(range(round.n)))
        return Scores(phi, game.passes, efficiency_gap(phi.tolist(), before, after))


@dataclass(frozen=True, slots=True)
class WithoutLoss:
    """Score a round by a rule that looks at no validation data: no passes, no units of the loss."""

    name: str
    rule: Callable[[Round], Float64s]
    promises: frozenset[Promise]

    def __call__(self, round: Round) -> Scores:
        return Scores(self.rule(round), 0.0, math.nan)


def multi_round(game: Game) -> Float64s:
    """Return the exact Shapley value of one round; summed over rounds, the multi-round value.

    phi_i = Σ over rounds of the Shapley value of the round's game. Cost: 2^n values a round, for at
    most 10 sites. Properties: those of `exact_shapley`. Source: Song, Tong & Wei, Profit
    allocation for federated learning, IEEE Big Data 2019 (there: MR).
    """
    return exact_shapley(game.value, game.n)


@dataclass(frozen=True, slots=True)
class Sampled:
    """`complementary` on a budget of `budget_per_site` coalitions a site, with a public seed."""

    budget_per_site: int = 8
    seed: int = 0

    def __call__(self, game: Game) -> Float64s:
        return complementary(game, self.budget_per_site * game.n, self.seed)


def cosine(round: Round) -> Float64s:
    """Return how far each update points where the merge went: phi_i = ⟨u_i, D⟩ / (‖u_i‖·‖D‖).

    Cost: two dot products a site, no passes over data. Properties: symmetric, null; not efficient
    (no units of the loss), not split-proof (every part earns the whole's cosine), not linear: it
    never asks whether the merge was any good. The reference is this round's merge; the paper's
    moving average over rounds is left to the sum over rounds. Source: CGSV, in Xu, Lyu, Ma, Miao,
    Foo & Low, Gradient driven rewards to guarantee fairness in collaborative machine learning,
    NeurIPS 2021.
    """
    merged = round.step(frozenset(range(round.n)))
    length = math.sqrt(block_dot(merged, merged))

    def of(update: Float64s) -> float:
        scale = length * math.sqrt(block_dot(update, update))
        return block_dot(update, merged) / scale if scale else 0.0

    return np.array([of(update) for update in round.updates])


def by_size(round: Round) -> Float64s:
    """Return each site's part of all samples: phi_i = n_i / Σ n_k.

    Cost: none. Properties: split-proof; not symmetric, null, efficient or linear: it believes what
    sites say and sees no updates. Source: the weights of federated averaging (McMahan et al.,
    AISTATS 2017). All zeros when nobody has samples.
    """
    total = sum(round.samples)
    return np.array([count / total if total else 0.0 for count in round.samples])


def equal(round: Round) -> Float64s:
    """Return phi_i = 1/n.

    Cost: none. Properties: symmetric; not null (absent work is paid), efficient, split-proof or
    linear. The baseline that metering has to be better than.
    """
    return np.full(round.n, 1 / round.n)


METHODS: Mapping[str, Method] = MappingProxyType(
    {
        method.name: method
        for method in (
            AumannShapley(),
            OfGame(
                "two-n", two_n, frozenset({Promise.EFFICIENT, Promise.SYMMETRIC, Promise.LINEAR})
            ),
            OfGame("complementary", Sampled(), frozenset({Promise.EFFICIENT, Promise.LINEAR})),
            OfGame(
                "multi-round-shapley",
                multi_round,
                frozenset({Promise.EFFICIENT, Promise.SYMMETRIC, Promise.NULL, Promise.LINEAR}),
                EXACT_SITES,
            ),
            OfGame(
                "leave-one-out",
                leave_one_out,
                frozenset({Promise.SYMMETRIC, Promise.NULL, Promise.LINEAR}),
            ),
            OfGame(
                "banzhaf",
                banzhaf,
                frozenset({Promise.SYMMETRIC, Promise.NULL, Promise.LINEAR}),
                EXACT_SITES,
            ),
            WithoutLoss("cosine", cosine, frozenset({Promise.SYMMETRIC, Promise.NULL})),
            WithoutLoss("size", by_size, frozenset({Promise.SPLIT_PROOF})),
            WithoutLoss("equal", equal, frozenset({Promise.SYMMETRIC})),
        )
    }
)
"""Every method that scores single rounds, by name; the first is the default."""
