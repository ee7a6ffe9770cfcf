"""What parties can decide or do, in words: the effect, and how it is undone."""

from __future__ import annotations

from typing import Final

from contracts.council import Action

ACTIONS: Final = {
    "suspend": Action.SUSPEND,
    "resume": Action.RESUME,
    "terminate": Action.TERMINATE,
    "remove": Action.REMOVE,
    "replace-wallet": Action.REPLACE_WALLET,
}
_EFFECTS: Final = {
    "suspend": "No enrollments and no new runs. The open round can still be sealed once; later "
    "rounds count nobody. What is credited stays claimable. Undone by a motion to resume.",
    "resume": "Enrollments, runs and rounds go on. Undone by a motion to suspend.",
    "terminate": "The agreement ends for good. What is credited stays claimable, what was not "
    "earned returns to the sponsor. This cannot be undone: sign a new agreement instead.",
    "remove": "{organization} is out for good with all its nodes, from the next round on. It keeps "
    "what it was credited. This cannot be undone; an amendment may add it under another name.",
    "replace-wallet": "{wallet} becomes the wallet of {organization} when the agreement's delay is "
    "over. Until then the present wallet can veto; afterwards the new wallet can move it back.",
    "pardon": "{organization} is let back into the run with its next round, without strikes. "
    "It may be struck again.",
    "leave": "{organization} is out for good with all its nodes, from the next round on. It keeps "
    "its wallet and what it was credited. This cannot be undone; an amendment may add it under "
    "another name.",
    "retire": "The node {node} is left out of the next rounds. Undone by enrolling it again, with "
    "a new token and a new key.",
    "veto": "{organization} keeps its present wallet. The others may vote again.",
    "move-wallet": "{wallet} becomes the wallet of {organization} at once: its votes, its claims, "
    "its nodes. Undone by a move back, which the new wallet has to sign.",
}


def effect_of(action: str, organization: str = "", wallet: str = "", node: str = "") -> str:
    """What happens when it is done, and how to undo it."""
    return _EFFECTS[action].format(organization=organization, wallet=wallet, node=node)
