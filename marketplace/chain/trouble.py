"""Says once that something does not work, and once that it does again."""

from __future__ import annotations

import logging


class Trouble:
    """Keeps a loop that tries several times a second from filling the log."""

    def __init__(self, log: logging.Logger, what: str) -> None:
        self._log = log
        self._what = what
        self._told = ""

    def is_(self, error: Exception) -> None:
        """Something failed; told if it is not what was told last."""
        if str(error) != self._told:
            self._log.warning("%s has to wait: %s", self._what, error)
            self._told = str(error)

    def over(self) -> None:
        """It worked."""
        if self._told:
            self._log.info("%s goes on", self._what)
            self._told = ""
