"""Events in the form in which they are kept: names and plain JSON values.

What the index stores and what a verifier reads from the chain take the same form here, so that both
draw the same conclusions with the same code.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any, Final

from contracts import events as chain_events
from contracts.deployment import Deployment
from marketplace.storage.models import Event
from metering.ledger import Place

# Beyond this, JSON numbers lose digits in programs that read them as doubles.
_EXACT_IN_JSON: Final = 2**53
_PLACE: Final = {field.name for field in dataclasses.fields(chain_events.Event)}
# Where two contracts share an event's name, that of one of them says so.
_NAMES: Final = {
    ("royalties", "Claimed"): "ClaimedOfRoyalties",
    ("royalties", "Delegated"): "DelegatedOfRoyalties",
    ("presence", "Collected"): "CollectedOfPresence",
}
_NOBODY: Final = "0x" + "00" * 20
# What a record is made of; for thousands of them, objects that could be changed cost too much.
KEPT: Final = (
    Event.kind,
    Event.chain_id,
    Event.block,
    Event.block_hash,
    Event.log_index,
    Event.transaction,
    Event.data,
)


@dataclasses.dataclass(frozen=True, slots=True)
class Record:
    """One event.

    Attributes:
        kind: its name; of two contracts that share one, the other's is told apart.
        place: where it stands on the chain.
        time_s: of its block, Unix; zero if nobody asked.
        data: its values: byte strings as 0x-hex, numbers beyond 2^53 as decimals; and what
            `details` found out beside it.
    """

    kind: str
    place: Place
    time_s: int
    data: Mapping[str, Any]

    @property
    def run_id(self) -> str:
        """Empty where it is about no run."""
        return str(self.data.get("run_id", ""))

    @property
    def agreement_id(self) -> str:
        """Empty where it names no agreement."""
        return str(self.data.get("agreement", ""))

    def number(self, name: str) -> int:
        """A value that is a number, however it is written."""
        return int(self.data[name])


def record_of(deployment: Deployment, event: chain_events.Event, time_s: int = 0) -> Record:
    """A record of an event as the chain tells it."""
    data = {
        field.name: plain(getattr(event, field.name))
        for field in dataclasses.fields(event)
        if field.name not in _PLACE
    }
    place = Place(
        chain_id=deployment.chain_id,
        block=event.block,
        block_hash=event.block_hash,
        log_index=event.log_index,
        transaction=event.transaction,
    )
    return Record(_kind(deployment, event), place, time_s, data)


def record_of_row(row: Sequence[Any]) -> Record:
    """A record of an event as the index keeps it: its columns `KEPT`, and its block's time."""
    kind, chain_id, block, block_hash, log_index, transaction, data, time_s = row
    place = Place(
        chain_id=chain_id,
        block=block,
        block_hash=block_hash,
        log_index=log_index,
        transaction=transaction,
    )
    return Record(kind, place, time_s or 0, data)


def matters(deployment: Deployment, event: chain_events.Event) -> bool:
    """Whether an event is kept: all but those of tokens that are no concern of ours.

    Of the token only what is made, destroyed, or goes into and out of our contracts: what people do
    with what they were paid is theirs.
    """
    if event.contract != deployment.token:
        return True
    if not isinstance(event, chain_events.Transfer):
        return not isinstance(event, chain_events.Approval)
    ours = {_NOBODY, *deployment.addresses.values()}
    return event.sender in ours or event.to in ours


def plain(value: Any) -> Any:
    """A value as JSON has it."""
    if isinstance(value, bytes):
        return "0x" + value.hex()
    if isinstance(value, tuple):
        return [plain(each) for each in value]
    if isinstance(value, int) and abs(value) > _EXACT_IN_JSON:
        return str(value)
    return value


def _kind(deployment: Deployment, event: chain_events.Event) -> str:
    name = type(event).__name__
    for (contract, shared), own in _NAMES.items():
        if name == shared and event.contract == deployment.addresses[contract]:
            return own
    return name
