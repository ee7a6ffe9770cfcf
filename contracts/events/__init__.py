"""What happened on chain: the contracts' events as typed records, in order."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from contracts.abi import all_events
from contracts.events.base import Event
from contracts.events.membership import (
    AgreementActivated,
    AgreementAmended,
    AgreementSigned,
    Answered,
    Decided,
    LeftOut,
    NodeEnrolled,
    NodeRetired,
    PartyOut,
    Returned,
    StateChanged,
    Suspected,
    Vetoed,
    WalletChanged,
)
from contracts.events.money import (
    Approval,
    Claimed,
    Collected,
    Credited,
    Delegated,
    Deposited,
    Funded,
    Licensed,
    Paid,
    PoolClosed,
    PoolOpened,
    Priced,
    Recounted,
    Refunded,
    Slashed,
    Transfer,
    Unlocked,
    Withdrawn,
)
from contracts.events.roles import (
    AuthorityUpdated,
    OperationCanceled,
    OperationExecuted,
    OperationScheduled,
    RoleAdminChanged,
    RoleGrantDelayChanged,
    RoleGranted,
    RoleGuardianChanged,
    RoleLabel,
    RoleRevoked,
    TargetAdminDelayUpdated,
    TargetClosed,
    TargetFunctionRoleUpdated,
    VersionPublished,
    VersionRetired,
)
from contracts.events.runs import (
    Ended,
    Finished,
    Pardoned,
    Quarantined,
    Reopened,
    RoundOpened,
    RowCounted,
    RunCreated,
    Sealed,
    Settled,
    Struck,
)
from contracts.events.tasks import (
    AgentEnrolled,
    AgentTargeted,
    AgentWithdrawn,
    OutcomeMade,
    StatusReported,
    TaskAssigned,
    TaskBodySet,
    TaskCreated,
    TaskDeleted,
    TaskEnded,
    TaskFinalized,
    TaskrunnerCreated,
    TaskrunnerReset,
)

if TYPE_CHECKING:
    from contracts.chain import Chain
    from contracts.deployment import Deployment

TYPES: Mapping[str, type[Event]] = {
    name: found
    for name, found in list(globals().items())
    if isinstance(found, type) and issubclass(found, Event)
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
    addresses = list(deployment.addresses.values())
    found = decode(await chain.logs(addresses, from_block, to_block))
    return sorted(found, key=lambda event: (event.block, event.log_index))


__all__ = [
    "TYPES",
    "AgentEnrolled",
    "AgentTargeted",
    "AgentWithdrawn",
    "AgreementActivated",
    "AgreementAmended",
    "AgreementSigned",
    "Answered",
    "Approval",
    "AuthorityUpdated",
    "Claimed",
    "Collected",
    "Credited",
    "Decided",
    "Delegated",
    "Deposited",
    "Ended",
    "Event",
    "Finished",
    "Funded",
    "LeftOut",
    "Licensed",
    "NodeEnrolled",
    "NodeRetired",
    "OperationCanceled",
    "OperationExecuted",
    "OperationScheduled",
    "OutcomeMade",
    "Paid",
    "Pardoned",
    "PartyOut",
    "PoolClosed",
    "PoolOpened",
    "Priced",
    "Quarantined",
    "Recounted",
    "Refunded",
    "Reopened",
    "Returned",
    "RoleAdminChanged",
    "RoleGrantDelayChanged",
    "RoleGranted",
    "RoleGuardianChanged",
    "RoleLabel",
    "RoleRevoked",
    "RoundOpened",
    "RowCounted",
    "RunCreated",
    "Sealed",
    "Settled",
    "Slashed",
    "StateChanged",
    "StatusReported",
    "Struck",
    "Suspected",
    "TargetAdminDelayUpdated",
    "TargetClosed",
    "TargetFunctionRoleUpdated",
    "TaskAssigned",
    "TaskBodySet",
    "TaskCreated",
    "TaskDeleted",
    "TaskEnded",
    "TaskFinalized",
    "TaskrunnerCreated",
    "TaskrunnerReset",
    "Transfer",
    "Unlocked",
    "VersionPublished",
    "VersionRetired",
    "Vetoed",
    "WalletChanged",
    "Withdrawn",
    "decode",
    "logs",
]
