"""What the model says instead of doing something that the contracts have to refuse."""

from __future__ import annotations

from typing import Any


class Refused(Exception):
    """The Solidity error that is expected.

    Attributes:
        name: of the error.
        values: those of its arguments that the model knows, by name.
    """

    def __init__(self, name: str, /, **values: Any) -> None:
        super().__init__(name, values)
        self.name = name
        self.values = values
