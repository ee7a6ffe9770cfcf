"""What can be done, to the contracts and the model at once."""

from __future__ import annotations

from tests.chain.machine.acts.money import MoneyActs
from tests.chain.machine.acts.parties import PartyActs
from tests.chain.machine.acts.rounds import RoundActs

__all__ = ["Acts"]


class Acts(PartyActs, RoundActs, MoneyActs):
    """Everything that organizations, nodes and anybody else may try."""
