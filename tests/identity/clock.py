"""The time, which a test may move."""

from __future__ import annotations

import time


class Clock:
    """Unix seconds, `ahead_s` from now."""

    def __init__(self) -> None:
        self.ahead_s = 0.0

    def __call__(self) -> float:
        return time.time() + self.ahead_s
