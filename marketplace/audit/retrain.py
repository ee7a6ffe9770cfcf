"""What each organization's data were worth to whole trainings, beside what it was paid.

Per-round shares value updates. The retrain audit values organizations: it trains with all of them,
with each one alone and with all but each, 2N + 1 trainings, on a function of the auditor's. It
shows whether pay went to the right places on the whole. It is no proof that a payment was wrong:
the trainings are others than those that took place, and what they are measured on decides.

A training is worth the loss it takes away, as pay is: shares and progress are measured in the loss,
also where a metric ends the run. Such a run says what else its organizations want, so trainings can
be judged by that metric as well.
"""

from __future__ import annotations

import importlib
import math
import sys
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from marketplace.audit.walk import Audit
from marketplace.errors import InvalidInput
from metering.contribution import Coalition, retrain_audit
from metering.split import FULL_BIPS, equal_bips, metered_bips

_BETTER = {1: -1, 2: 1}  # by Terms.stopping: 1 = lowest metric, 2 = highest metric

Train = Callable[[frozenset[str]], float]
"""train(organizations) -> loss or metric of a training by these; of the initial model for none."""


class By(StrEnum):
    """What the number is that a training gives."""

    LOSS = "loss"
    METRIC = "metric"
    """The one that ends the run; its terms say whether more of it is better."""


@dataclass(frozen=True, slots=True)
class Retrained:
    """One organization: what it added to whole trainings, and shares in basis points."""

    organization: str
    value: float  # loss that it took away; of a metric, by how much it made it better
    retrained_bips: int
    paid_bips: int
    equal_bips: int


def retrain(result: Audit, train: Train, by: By = By.LOSS) -> tuple[Retrained, ...]:
    """Train again and compare.

    Args:
        result: of the audit.
        train: called 2N + 1 times, and once for nobody.
        by: what it returns.

    Returns:
        One entry an organization of the run that had a part in a paid round, by party.

    Raises:
        InvalidInput: nobody was paid, the function gives no number, or the run ends by no metric.
    """
    sign = better(result.records.terms.stopping, by)
    credited = result.money.credited_wei
    parties = sorted(credited)
    if not sum(credited.values()):
        raise InvalidInput("the run paid nobody: there is nothing to compare a training with")
    names = [result.records.organization(party) for party in parties]

    def utility(coalition: Coalition) -> float:
        number = train(frozenset(names[place] for place in coalition))
        if not isinstance(number, int | float) or not math.isfinite(number):
            raise InvalidInput(
                f"the training by {sorted(names[place] for place in coalition)} gave {number!r}",
                hint=f"it has to return its {by}, a finite number",
            )
        return sign * float(number)

    values = retrain_audit(utility, len(parties)).tolist()
    shares = metered_bips(values) or (0,) * len(parties)
    total_wei = sum(credited.values())
    equal = equal_bips(len(parties))
    return tuple(
        Retrained(name, value, share, credited[party] * FULL_BIPS // total_wei, even)
        for name, party, value, share, even in zip(
            names, parties, values, shares, equal, strict=True
        )
    )


def better(stopping: int, by: By) -> int:
    """Return 1 where more of what trainings are judged by is better, and -1 where less is.

    Raises:
        InvalidInput: a metric, but the run's terms do not say which way is better.
    """
    if by is By.LOSS:
        return -1
    if stopping not in _BETTER:
        raise InvalidInput(
            "this run ends by its loss: its terms do not say whether more of a metric is better",
            hint="have the function return the loss, and leave out --by-metric",
        )
    return _BETTER[stopping]


def misplaced(rows: tuple[Retrained, ...]) -> tuple[float, float]:
    """Return half the L1 distances from the retrained shares: of what was paid, of equal ones."""
    paid = sum(abs(row.paid_bips - row.retrained_bips) for row in rows)
    equal = sum(abs(row.equal_bips - row.retrained_bips) for row in rows)
    return paid / 2 / FULL_BIPS, equal / 2 / FULL_BIPS


def load_function(reference: str) -> Any:
    """Import MODULE:FUNCTION; modules in the current folder are found, too.

    Raises:
        InvalidInput: there is no such function.
    """
    module, _, name = reference.partition(":")
    here = str(Path.cwd())
    if here not in sys.path:
        sys.path.insert(0, here)
    try:
        found = getattr(importlib.import_module(module), name)
    except (ImportError, AttributeError, ValueError) as error:
        raise InvalidInput(
            f"cannot use {reference}: {error}",
            hint="MODULE:FUNCTION, for example examples.breast_cancer.audit:train",
        ) from error
    if not callable(found):
        raise InvalidInput(f"{reference} is no function")
    return found
