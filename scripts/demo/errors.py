"""What can go wrong in the demo, told with the log that explains it."""

from __future__ import annotations

from pathlib import Path

_TAIL_LINES = 20


class DemoError(Exception):
    """The demo cannot go on.

    `hint` says what to try; `logs` are the files whose ends are shown.
    """

    def __init__(self, message: str, *, hint: str = "", logs: tuple[Path, ...] = ()) -> None:
        super().__init__(message)
        self.hint = hint
        self.logs = logs

    def told(self) -> str:
        """The message, the ends of the logs and the hint, for the terminal."""
        parts = [f"error: {self}"]
        for log in self.logs:
            lines = log.read_text(errors="replace").splitlines() if log.exists() else []
            parts += [f"--- the end of {log}", *(lines[-_TAIL_LINES:] or ["(empty)"])]
        if self.hint:
            parts.append(f"hint: {self.hint}")
        return "\n".join(parts)
