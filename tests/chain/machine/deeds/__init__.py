"""The machine: what is tried, mostly what is allowed, sometimes what is not."""

from __future__ import annotations

import inspect

from hypothesis import strategies as st
from hypothesis.stateful import rule

from tests.chain.machine.deeds.amendments import AmendmentDeeds
from tests.chain.machine.deeds.money import MoneyDeeds
from tests.chain.machine.deeds.parties import PartyDeeds
from tests.chain.machine.deeds.publishing import PublishingDeeds
from tests.chain.machine.deeds.rounds import RoundDeeds
from tests.chain.machine.deeds.tasks import TaskDeeds
from tests.chain.machine.deeds.wallets import WalletDeeds

__all__ = ["Machine"]


class Machine(
    PartyDeeds, WalletDeeds, AmendmentDeeds, RoundDeeds, MoneyDeeds, TaskDeeds, PublishingDeeds
):
    """All deeds on one agreement, in whatever order.

    They are no rules of their own: of those Hypothesis leaves out every second one in a session,
    which takes a thousand sessions to pay.
    """

    @rule(data=st.data())
    def do_something(self, data: st.DataObject) -> None:
        possible = [
            name
            for name, method in inspect.getmembers(type(self), inspect.isfunction)
            if "often" in method.__dict__ and method.when(self)
            for _ in range(method.often)
        ]
        getattr(self, data.draw(st.sampled_from(possible), "deed"))(data)
