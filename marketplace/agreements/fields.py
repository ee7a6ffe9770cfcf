"""The fields of a template: what a form asks for, and how what people write is read.

A field's answer is text, as it was written and as it is kept. What the message needs of it (wei,
1e-9, seconds) follows from the text alone, so that the same answers give the same agreement.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final

from contracts.errors import MessageError
from contracts.messages import checksum_address
from marketplace.agreements.terms import named

KINDS: Final = ("line", "text", "integer", "tokens", "loss", "choice", "hash", "wallet")
# What may be left open while people negotiate, and has to be there when they sign.
_MAY_WAIT: Final = ("hash", "wallet")
_LINE_CHARACTERS: Final = 160
_TEXT_CHARACTERS: Final = 8_000
_EXACT_IN_JSON: Final = 2**53
_HASH: Final = re.compile(r"0x[0-9a-f]{64}")
_DECIMAL: Final = re.compile(r"[0-9]{1,30}(\.[0-9]{1,18})?")
_DECIMALS: Final = {"tokens": 18, "loss": 9}


class FieldError(ValueError):
    """What was written into one field cannot be meant; the message says what can."""


@dataclass(frozen=True, slots=True)
class Choice:
    """One of several answers; `clause` is what the text of the agreement says of it."""

    value: str
    label: str
    clause: str


@dataclass(frozen=True, slots=True)
class Field:
    """One question.

    Attributes:
        name: of the placeholder in the text, and of the field in a form.
        binds: the field of the draft that gets its value: `purpose`, `terms.max_rounds`,
            `bylaws.votes`; empty for what only the text says.
        scale: what an integer is multiplied by for the message, 86400 for days kept as seconds.
        unit: what the number counts, for people.
    """

    name: str
    label: str
    kind: str
    group: str
    help: str = ""
    default: str = ""
    required: bool = True
    binds: str = ""
    choices: tuple[Choice, ...] = ()
    least: int = 0
    most: int = 2**31 - 1
    scale: int = 1
    unit: str = ""

    @property
    def may_wait(self) -> bool:
        """Whether it may be open until signatures are asked for."""
        return self.kind in _MAY_WAIT

    def choice(self, value: str) -> Choice:
        """The choice of this value. Raises FieldError."""
        for each in self.choices:
            if each.value == value:
                return each
        raise FieldError("choose one of " + ", ".join(each.value for each in self.choices))


def normal(field: Field, answer: str) -> str:
    """The one way to write an answer.

    Raises:
        FieldError: it cannot be meant.
    """
    text = unicodedata.normalize("NFC", answer.replace("\r\n", "\n").replace("\r", "\n")).strip()
    if any(unicodedata.category(each) in ("Cc", "Cf", "Cs") and each != "\n" for each in text):
        raise FieldError("holds control characters that nobody would see")
    if not text:
        if field.required and not field.may_wait:
            raise FieldError("is needed")
        return ""
    if field.kind != "text" and "\n" in text:
        raise FieldError("must be a single line")
    longest = _TEXT_CHARACTERS if field.kind == "text" else _LINE_CHARACTERS
    if len(text) > longest:
        raise FieldError(f"has {len(text)} characters, {longest} at most")
    return _of_its_kind(field, text)


def value_of(field: Field, answer: str) -> Any:
    """What the message has for a normal answer: text, a number, or decimals beyond 2^53."""
    if field.kind in _DECIMALS:
        return _exact(int(Decimal(answer or "0").scaleb(_DECIMALS[field.kind])))
    if field.kind == "integer":
        return _exact(int(answer or "0") * field.scale)
    return answer


def answer_of(field: Field, value: Any) -> str | None:
    """The answer that `value_of` makes this value of; None if no answer does."""
    text = str(value)
    if field.kind in _DECIMALS and text.isdecimal():
        scaled = Decimal(text).scaleb(-_DECIMALS[field.kind])
        text = format(scaled.normalize(), "f")
    elif field.kind == "integer" and text.isdecimal():
        whole, rest = divmod(int(text), field.scale)
        text = str(whole) if not rest else ""
    elif field.kind == "choice" and text.isdecimal():
        text = str(named(field.binds.rpartition(".")[2], int(text)))
    elif field.may_wait and re.fullmatch("(0x)?0*", text):
        text = value = ""  # open as yet
    try:
        return normal(field, text) if text or value == "" else None
    except FieldError:
        return None


def _of_its_kind(field: Field, text: str) -> str:
    match field.kind:
        case "integer":
            if not re.fullmatch(r"[0-9]{1,18}", text):
                raise FieldError("must be a whole number")
            if not field.least <= int(text) <= field.most:
                raise FieldError(f"must be {field.least} to {field.most}")
            return str(int(text))
        case "tokens" | "loss":
            return _decimal(text, _DECIMALS[field.kind])
        case "choice":
            return field.choice(text).value
        case "hash":
            if not _HASH.fullmatch(text.lower()):
                raise FieldError("must be 0x and 64 hexadecimal digits")
            return text.lower()
        case "wallet":
            try:
                return checksum_address(text)
            except MessageError as error:
                raise FieldError(str(error)) from error
        case _:
            return text


def _decimal(text: str, decimals: int) -> str:
    if not _DECIMAL.fullmatch(text):
        raise FieldError("must be a number such as 12.5")
    whole, _, rest = text.partition(".")
    if len(rest) > decimals:
        raise FieldError(f"has more than {decimals} decimals")
    return f"{int(whole)}.{rest.rstrip('0')}".rstrip(".")


def _exact(number: int) -> int | str:
    return number if number <= _EXACT_IN_JSON else str(number)
