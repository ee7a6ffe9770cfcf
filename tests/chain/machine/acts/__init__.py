"""What can be done, to the contracts and the model at once."""

from __future__ import annotations

from tests.chain.machine.acts.money import MoneyActs
from tests.chain.machine.acts.parties import PartyActs
from tests.chain.machine.acts.registry import RegistryActs
from tests.chain.machine.acts.rounds import RoundActs
from tests.chain.machine.acts.tasks import TaskActs
from tests.chain.machine.acts.wallets import WalletActs

__all__ = ["Acts"]


class Acts(PartyActs, WalletActs, RoundActs, MoneyActs, TaskActs, RegistryActs):
    """Everything that organizations, nodes and anybody else may try."""
