"""What the callback raises; each error says what to do next, also in the traceback."""

from __future__ import annotations

from node_agent.errors import NodeError


class CallbackError(NodeError):
    """Base of all errors that the callback raises on purpose.

    A training script seldom catches them, so the hint is a note that Python prints below the
    message.
    """

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message, hint=hint)
        if hint:
            self.add_note(f"hint: {hint}")


class InvalidParameter(CallbackError):
    """A parameter of `SwarmCallback` is unknown, or its value makes no sense."""


class AgentUnreachable(CallbackError):
    """No node agent answered in time, or the one that did belongs to another user."""


class AgentProtocolError(CallbackError):
    """The node agent said something that the callback does not understand."""


class SwarmRefused(CallbackError):
    """The node agent, or the terms of the run, do not let this script take part."""


class ModelError(CallbackError):
    """The model cannot travel, or the parameters that arrived do not fit it."""


class EvaluationError(CallbackError):
    """The validation data, the loss or the metric cannot be used to measure the model."""
