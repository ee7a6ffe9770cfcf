"""The marketplace's public API from Python: what the command line, scripts and tests use.

Nothing is signed unseen: a message is rebuilt from what it says, checked against what was asked
for, and signed as this program reads it, not as the server would have it shown.
"""

from __future__ import annotations

from marketplace.client.access import AccessCalls
from marketplace.client.connection import Fields
from marketplace.client.drafts import Drafts
from marketplace.client.governance import Governance
from marketplace.client.money import MoneyCalls
from marketplace.client.nodes import NodeCalls
from marketplace.client.runs import RunCalls

__all__ = ["Fields", "MarketClient"]


class MarketClient(RunCalls, NodeCalls, MoneyCalls, AccessCalls):
    """A caller of one marketplace; how it is made: see `connection.Connection`."""

    @property
    def drafts(self) -> Drafts:
        """Templates, drafts, invitations."""
        return Drafts(self)

    @property
    def governance(self) -> Governance:
        """Amendments, motions, what a party does alone, admissions."""
        return Governance(self)
