"""What people say in passing: comments, notes, reasons."""

from __future__ import annotations

import unicodedata

from marketplace.errors import InvalidInput


def remark(text: str, what: str, most_characters: int, *, needed: bool = False) -> str:
    """A remark as it is kept: trimmed, with plain line ends.

    Raises:
        InvalidInput: too long, missing, or it holds characters that nobody would see.
    """
    said = unicodedata.normalize("NFC", text.replace("\r\n", "\n")).strip()
    if not (1 if needed else 0) <= len(said) <= most_characters:
        raise InvalidInput(f"{what} has {1 if needed else 0} to {most_characters} characters")
    if any(unicodedata.category(each) in ("Cc", "Cs") and each not in "\n\t" for each in said):
        raise InvalidInput(f"{what} holds control characters")
    return said
