"""What the marketplace remembers, and how: models, transactions, migrations."""

from __future__ import annotations

# Every table is known to `Base` as soon as one is.
from marketplace.storage import announcements, ledger

__all__ = ["announcements", "ledger"]
