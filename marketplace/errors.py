"""Everything this application refuses or cannot do, as one tree of exceptions.

Each error says what happened in a sentence and, in `hint`, what the reader can do about it. The
web side turns it into a problem document (RFC 9457), the command line into an exit code.
"""

from __future__ import annotations

from typing import ClassVar


class MarketError(Exception):
    """Base of all errors of this application.

    Attributes:
        status: the HTTP status that fits.
        code: short name, stable for programs: the last part of the problem document's `type`.
        exit_code: what the command line exits with.
        hint: what to do about it; empty when there is nothing to add.
    """

    status: ClassVar[int] = 500
    code: ClassVar[str] = "internal"
    exit_code: ClassVar[int] = 1

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint


class SettingsError(MarketError):
    """The settings contradict themselves, or name a file that is not there."""

    code = "settings"
    exit_code = 3


class InvalidInput(MarketError):
    """A request or file says something that cannot be meant."""

    status = 422
    code = "invalid-input"
    exit_code = 4


class SignInRequired(MarketError):
    """The caller did not say who he is, or his session is over."""

    status = 401
    code = "sign-in-required"
    exit_code = 5


class NotAllowed(MarketError):
    """The caller is known, and may not do this."""

    status = 403
    code = "not-allowed"
    exit_code = 6


class WrongSignature(MarketError):
    """A signature is malformed, or was made by another key than the one that has to sign."""

    status = 403
    code = "wrong-signature"
    exit_code = 7


class NotFound(MarketError):
    """There is no such object, or the caller may not know of it: the two look alike on purpose."""

    status = 404
    code = "not-found"
    exit_code = 8


class Conflict(MarketError):
    """The object is not in a state in which this can be done."""

    status = 409
    code = "conflict"
    exit_code = 9


class TooMany(MarketError):
    """The caller asks for more than his share."""

    status = 429
    code = "too-many"
    exit_code = 20


class Tampered(MarketError):
    """Records are not what they were."""

    code = "tampered"
    exit_code = 21


class ChainRefusal(MarketError):
    """A contract refused what was posted to it."""

    status = 409
    code = "chain-refusal"
    exit_code = 10


class Unavailable(MarketError):
    """The chain or the marketplace does not answer."""

    status = 503
    code = "unavailable"
    exit_code = 11


class Waiting(MarketError):
    """What was asked for did not happen in the time allowed; it may still."""

    status = 504
    code = "waiting"
    exit_code = 12


class DoesNotAgree(MarketError):
    """Books, a statement or an index say something else than the chain."""

    status = 409
    code = "does-not-agree"
    exit_code = 13
