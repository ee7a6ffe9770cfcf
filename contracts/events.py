"""What happened on chain: the contracts' events as typed records, in order."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from contracts.abi import all_events

if TYPE_CHECKING:
    from contracts.chain import Chain
    from contracts.deployment import Deployment


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


@dataclass(frozen=True, slots=True, kw_only=True)
class AgreementActivated(Event):
    agreement: bytes
    document: bytes
    terms_hash: bytes
    parties: int


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeEnrolled(Event):
    agreement: bytes
    party: int
    registration: int
    key: str
    spiffe_id: str
    url: str
    version: int


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeRetired(Event):
    agreement: bytes
    party: int
    registration: int
    version: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RunCreated(Event):
    run_id: bytes
    agreement: bytes
    name: str
    generation: int
    prev: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Sealed(Event):
    """A round was recorded; `next` is the `prev` of the one it opened, zero if it was the last."""

    run_id: bytes
    round: int
    merged_root: bytes
    prev: bytes
    next: bytes
    term: int
    roster_root: bytes
    loss_before: int  # [1e-9]
    loss_after: int  # [1e-9]
    metric: int  # [1e-9]
    shares: bytes
    rejects: bytes
    signers: tuple[int, ...]  # registrations
    credited: int  # [wei]


@dataclass(frozen=True, slots=True, kw_only=True)
class Reopened(Event):
    run_id: bytes
    round: int
    prev: bytes
    snapshot_version: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Finished(Event):
    """A run ended; `ending` 0: target reached, 1: rounds done, 2: agreement over."""

    run_id: bytes
    rounds: int
    ending: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolOpened(Event):
    run_id: bytes
    sponsor: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Funded(Event):
    run_id: bytes
    sender: str
    amount: int  # [wei]


@dataclass(frozen=True, slots=True, kw_only=True)
class Credited(Event):
    run_id: bytes
    vested: int  # [wei] of the pool up to now
    credited: int  # [wei] by this


@dataclass(frozen=True, slots=True, kw_only=True)
class Claimed(Event):
    run_id: bytes
    party: int
    recipient: str
    amount: int  # [wei]


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolClosed(Event):
    run_id: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Refunded(Event):
    run_id: bytes
    sponsor: str
    amount: int  # [wei]


@dataclass(frozen=True, slots=True, kw_only=True)
class Transfer(Event):
    sender: str
    to: str
    value: int  # [wei]


@dataclass(frozen=True, slots=True, kw_only=True)
class Approval(Event):
    owner: str
    spender: str
    value: int  # [wei]


TYPES: Mapping[str, type[Event]] = {
    each.__name__: each
    for each in (
        AgreementActivated,
        NodeEnrolled,
        NodeRetired,
        RunCreated,
        Sealed,
        Reopened,
        Finished,
        PoolOpened,
        Funded,
        Credited,
        Claimed,
        PoolClosed,
        Refunded,
        Transfer,
        Approval,
    )
}


def decode(logs: Iterable[Mapping[str, Any]]) -> tuple[Event, ...]:
    """Returns the events of ours among the logs, in their order."""
    found = []
    for log in logs:
        topics = [bytes(topic) for topic in log["topics"]]
        known = all_events().get(topics[0]) if topics else None
        struct = TYPES.get(known.name) if known else None
        if known is None or struct is None or len(topics) != 1 + len(known.indexed.names):
            continue
        values = known.decode(topics, bytes(log["data"]))
        if "from" in values:  # a keyword in Python
            values["sender"] = values.pop("from")
        found.append(
            struct(
                contract=str(log["address"]),
                block=int(log["blockNumber"]),
                block_hash="0x" + bytes(log["blockHash"]).hex(),
                log_index=int(log["logIndex"]),
                transaction="0x" + bytes(log["transactionHash"]).hex(),
                **values,
            )
        )
    return tuple(found)


async def logs(chain: Chain, deployment: Deployment, from_block: int, to_block: int) -> list[Event]:
    """Returns the events of the deployment's contracts in these blocks, both included, in order."""
    addresses = [
        deployment.token,
        deployment.consortium,
        deployment.training,
        deployment.rewards,
    ]
    found = decode(await chain.logs(addresses, from_block, to_block))
    return sorted(found, key=lambda event: (event.block, event.log_index))
