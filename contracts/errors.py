"""Everything that can go wrong between this program and the chain, as one tree of exceptions.

Each error says what happened in a sentence and, in `hint`, what the reader can do about it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


class ChainError(Exception):
    """Base of all errors of this package.

    Attributes:
        hint: what to do about it; empty when there is nothing to add.
    """

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint


class MessageError(ChainError):
    """A message has a field that is missing, unknown, of the wrong type or out of range."""


class SignatureError(MessageError):
    """The bytes are not a signature that the contracts would accept, whoever made it."""


class KeyFileError(ChainError):
    """A key or keystore file cannot be used or written."""


class ChainUnreachable(ChainError):
    """No answer, or none that makes sense, from the JSON-RPC endpoint."""


class ChainRefused(ChainError):
    """The endpoint answered a request with an error that is not a revert of our contracts.

    Attributes:
        code: the JSON-RPC error code.
    """

    def __init__(self, message: str, *, code: int, hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.code = code


class ContractReverted(ChainError):
    """A contract refused.

    Attributes:
        name: the Solidity error, for example ``Training_WrongRound``; ``Error`` for a plain text,
            ``Panic`` for a failed assertion, ``Unknown`` when the data fit no known error.
        values: its arguments by their names in snake_case, ``{"expected": 1, "got": 2}``.
    """

    def __init__(
        self, name: str, values: Mapping[str, Any], message: str = "", *, hint: str = ""
    ) -> None:
        super().__init__(message or name, hint=hint)
        self.name = name
        self.values = dict(values)


class TransactionTimeout(ChainError):
    """A transaction was sent, but its receipt did not come in time: it may still be mined.

    Attributes:
        transaction: its hash, 0x and 64 hexadecimal digits.
    """

    def __init__(self, message: str, *, transaction: str, hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.transaction = transaction


class NotDeployed(ChainError):
    """There is no such contract at the address, or the deployment file is not usable."""


class EmbeddedChainError(ChainError):
    """The embedded chain did not start, died, or could not save its state."""
