"""What this package refuses."""

from __future__ import annotations


class MeteringError(ValueError):
    """Numbers that no measurement, row or pool can have; `hint` says what to do about it."""

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint
