"""What the contracts say of themselves, beside what the model says of them."""

from __future__ import annotations

from collections.abc import Awaitable
from typing import Any

Check = tuple[str, Awaitable[Any], Any]  # what, as it is on chain, as it has to be
