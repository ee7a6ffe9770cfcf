"""All kinds of postings, by the names under which the outbox keeps them."""

from __future__ import annotations

from typing import Final

from marketplace.chain import governing, postings
from marketplace.chain.postings import Posting

KINDS: Final[dict[str, type[Posting]]] = postings.KINDS | governing.KINDS
