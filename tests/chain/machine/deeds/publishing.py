"""Versions are published and retired, by who may and by who may not."""

from __future__ import annotations

from hypothesis import strategies as st

from tests.chain.machine.deeds.choices import Choices, deed


class PublishingDeeds(Choices):
    """The registry has no say in anything else, so that a deed of it is rare."""

    @deed()
    def publish(self, data: st.DataObject) -> None:
        for number in data.draw(st.lists(st.integers(0, 3), min_size=1, max_size=3), "versions"):
            allowed = not self.seldom(data, "who may not", 4)
            there = not self.seldom(data, "what is not there", 4)
            self.do(self.acts.publish(f"1.{number}", allowed, there))
        for index in data.draw(st.lists(st.integers(0, 1), max_size=3), "retired"):
            allowed = not self.seldom(data, "who may not", 4)
            self.do(self.acts.retire_version(index, allowed))
