"""How much of a merge's loss reduction is due to each site: one protocol, many measures.

`METHODS["aumann-shapley"]` is the default. The node agent, whose gradients are files and whose
updates are too large for a `Round` in memory, uses the same arithmetic piece by piece: points of
`GAUSS_LEGENDRE`, `scores`, `efficiency_gap`, `halving_sum`.
"""

from __future__ import annotations

from metering.contribution.arithmetic import BLOCK, Float64s, Floats, block_dot, halving_sum
from metering.contribution.games import banzhaf, exact_shapley, leave_one_out, two_n
from metering.contribution.kinds import shapley_of_kinds
from metering.contribution.losses import measured_coalitions, scores_of_losses
from metering.contribution.methods import METHODS
from metering.contribution.path import (
    GAP_LIMIT,
    GAUSS_LEGENDRE,
    AumannShapley,
    efficiency_gap,
    scores,
)
from metering.contribution.protocol import (
    Coalition,
    FunctionGame,
    Game,
    Method,
    Promise,
    Round,
    RoundGame,
    Scores,
)
from metering.contribution.retraining import retrain_audit, retrain_shapley
from metering.contribution.sampling import complementary

__all__ = [
    "BLOCK",
    "GAP_LIMIT",
    "GAUSS_LEGENDRE",
    "METHODS",
    "AumannShapley",
    "Coalition",
    "Float64s",
    "Floats",
    "FunctionGame",
    "Game",
    "Method",
    "Promise",
    "Round",
    "RoundGame",
    "Scores",
    "banzhaf",
    "block_dot",
    "complementary",
    "efficiency_gap",
    "exact_shapley",
    "halving_sum",
    "leave_one_out",
    "measured_coalitions",
    "retrain_audit",
    "retrain_shapley",
    "scores",
    "scores_of_losses",
    "shapley_of_kinds",
    "two_n",
]
