"""What an organization earned in a period, round by round, so that anyone can check it.

statement = draw_up(facts, rounds, holder, period, chain_id=…, contract=…)
data = statement.to_bytes()  # the file; its SHA-256 is `statement.digest()`, to be signed

issued = parse(data, check_sums=False)
for difference in differences(issued, draw_up(facts_of_the_chain, …)):
    print(difference)  # the first is the first altered line, and the field
"""

from __future__ import annotations

from metering.statement.compare import StatementDifference, differences, follows
from metering.statement.draw_up import Holder, draw_up
from metering.statement.model import (
    Cause,
    Line,
    Movement,
    Period,
    Reference,
    Statement,
    Totals,
)
from metering.statement.rounds import SealedRound
from metering.statement.sums import closing_wei, faults, parse, totals
from metering.statement.table import COLUMNS, to_csv

__all__ = [
    "COLUMNS",
    "Cause",
    "Holder",
    "Line",
    "Movement",
    "Period",
    "Reference",
    "SealedRound",
    "Statement",
    "StatementDifference",
    "Totals",
    "closing_wei",
    "differences",
    "draw_up",
    "faults",
    "follows",
    "parse",
    "to_csv",
    "totals",
]
