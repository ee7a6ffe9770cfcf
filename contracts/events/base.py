"""What all events have in common."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """Base of all events: where it stands on the chain.

    Attributes:
        contract: address of the contract that raised it.
        block: number of its block.
        block_hash: 0x-hex; another one for the same number tells of a reorganization.
        log_index: its place among all logs of the block.
        transaction: 0x-hex hash.
    """

    contract: str
    block: int
    block_hash: str
    log_index: int
    transaction: str
