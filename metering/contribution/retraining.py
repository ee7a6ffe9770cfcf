"""Auditing a whole run by training it again with some sites left out: slow, and independent.

Per-round measures value updates; these value sites, including what a site's early updates made of
the others' later ones. What a training is worth is its utility, say minus its loss on a test set.
"""

from __future__ import annotations

from collections.abc import Callable

from metering.contribution.arithmetic import Float64s
from metering.contribution.games import exact_shapley, two_n
from metering.contribution.protocol import Coalition, FunctionGame
from metering.errors import MeteringError

RETRAIN_SITES = 6
"""Most sites for which every coalition is trained: 64 trainings."""

Train = Callable[[Coalition], float]


def retrain_audit(train: Train, n: int) -> Float64s:
    """Return the 2N value of whole trainings: everyone, each site alone, everyone but each site.

    phi_i = ½·[(u(i) − u(∅)) + (u(N) − u(N∖i))] + equal remainder, u = utility of a training

    Cost: 2n + 1 trainings (u(∅) is the initial model's, which takes none). Properties: those of
    `two_n`: efficient, symmetric, linear in u.

    Args:
        train: utility of a training by these sites; of the initial model for the empty set.
        n: number of sites.

    Returns:
        Shape (n,), in units of the utility.
    """
    return two_n(FunctionGame(train, n))


def retrain_shapley(train: Train, n: int) -> Float64s:
    """Return the exact Shapley value of whole trainings: the truth that others are judged by.

    Formula, properties and source: `exact_shapley`. Cost: 2^n − 1 trainings.

    Args:
        train: utility of a training by these sites; of the initial model for the empty set.
        n: number of sites, at most 6.

    Returns:
        Shape (n,), in units of the utility.
    """
    if n > RETRAIN_SITES:
        raise MeteringError(
            f"{2**n} trainings for {n} sites: at most {RETRAIN_SITES} sites",
            hint="retrain_audit takes two trainings a site.",
        )
    return exact_shapley(train, n)
