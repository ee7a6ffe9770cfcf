"""What a transaction said, where the events say only that it happened."""

from __future__ import annotations

from collections.abc import Iterator

from eth_abi.exceptions import DecodingError

from contracts.abi import interface
from contracts.errors import MessageError
from contracts.messages import Agreement, from_abi

# Both take the whole agreement first.
_FUNCTIONS = ("activate", "sign")


def agreements_in(data: bytes) -> Iterator[Agreement]:
    """Yields the agreements that a transaction brought to the Consortium, or may have.

    Calls may be wrapped into calls of another contract, so every place where one may begin is
    tried: whoever needs a certain agreement compares its struct hash.

    Args:
        data: of the transaction.
    """
    for name in _FUNCTIONS:
        function = interface("Consortium").functions[name]
        place = data.find(function.selector)
        while place >= 0:
            try:
                arguments = function.inputs.decode(data[place + len(function.selector) :])
                yield from_abi(Agreement, arguments[0])
            except (DecodingError, MessageError, UnicodeDecodeError, OverflowError):
                pass  # these four bytes were something else
            place = data.find(function.selector, place + 1)
