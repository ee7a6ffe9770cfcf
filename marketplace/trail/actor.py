"""In whose name something is done: known where a request comes in, told where it commits."""

from __future__ import annotations

from contextvars import ContextVar

_LONGEST = 200
_ACTOR: ContextVar[str] = ContextVar("actor", default="marketplace")


def acting_as(who: str) -> None:
    """Says on whose behalf this task, and the threads that it starts, go on."""
    _ACTOR.set(who[:_LONGEST])


def actor() -> str:
    """Who acts; `marketplace` for what it does by itself."""
    return _ACTOR.get()
