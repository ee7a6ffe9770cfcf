"""Checks a statement against the chain, and against nothing else.

All figures are computed again from events that anybody can read, by the contracts' own arithmetic;
the marketplace is not asked, and what it signed is believed in nothing.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from contracts import events
from contracts.chain import Block, Chain
from contracts.clerk import Clerk
from contracts.consortium import Consortium
from contracts.deployment import Contracts, Deployment
from contracts.errors import ContractReverted, NotDeployed
from contracts.genuine import is_genuine
from contracts.rewards import Rewards
from contracts.royalties import Royalties
from contracts.training import Training
from marketplace.chain import details
from marketplace.chain.records import Record, record_of
from marketplace.errors import InvalidInput
from marketplace.money.envelope import Envelope
from marketplace.money.holders import holder_of, memberships_held, memberships_of
from marketplace.money.reading import OF_AGREEMENTS, OF_RUNS, read
from metering.errors import MeteringError
from metering.statement import Period, Statement, StatementDifference, differences, draw_up

_NOBODY: Final = "0x" + "00" * 20
# Whose events a statement follows from.
_READ: Final = ("consortium", "training", "clerk", "rewards", "royalties")


@dataclass(frozen=True, slots=True)
class Verdict:
    """What came of a check.

    Attributes:
        envelope: what was checked.
        signed: whether the signature is that of the key in the file.
        differences: what the chain says otherwise; the first is the first altered line.
        records: events that it was computed from.
        unknown: what public records do not tell, and nobody can check.
    """

    envelope: Envelope
    signed: bool
    differences: tuple[StatementDifference, ...]
    records: int
    unknown: tuple[str, ...]

    @property
    def holds(self) -> bool:
        return self.signed and not self.differences

    def to_json(self) -> dict[str, Any]:
        statement = self.envelope.statement
        return {
            "holds": self.holds,
            "organization": statement.organization,
            "wallet": self.envelope.wallet,
            "contract": statement.contract,
            "chain_id": statement.chain_id,
            "first_block": statement.period.first_block,
            "last_block": statement.period.last_block,
            "rounds": len(statement.lines),
            "movements": len(statement.movements),
            "credited_wei": str(statement.totals.credited_wei),
            "closing_wei": str(statement.closing_wei),
            "sha256": self.envelope.sha256(),
            "issuer": self.envelope.key,
            "signed": self.signed,
            "events": self.records,
            "unknown": list(self.unknown),
            "differences": [
                {
                    "where": each.where,
                    "field": each.field,
                    "stated": str(each.stated),
                    "recomputed": str(each.recomputed),
                    "text": str(each),
                }
                for each in self.differences
            ],
        }


async def verify(
    data: bytes, chain: Chain, *, deployment: Deployment | None = None, from_block: int = 0
) -> Verdict:
    """Computes a statement again.

    Args:
        data: the file.
        chain: any endpoint of the chain; it need not keep old states.
        deployment: the contracts that the reader trusts; None: those that the statement names, if
            their code is that of our contracts.
        from_block: where to begin to read; the block of the deployment or any before.

    Raises:
        InvalidInput: it is no statement, of another chain or of other contracts.
        ChainError: the chain does not answer.
    """
    envelope = Envelope.parse(data)
    statement = envelope.statement
    contracts = await _contracts(envelope, chain, deployment)
    if await chain.block(statement.period.last_block) is None:
        raise InvalidInput(
            f"the chain has no block {statement.period.last_block} yet",
            hint="is the endpoint behind, or the statement made up?",
        )
    own = await _own(contracts, envelope, from_block)
    found = [*differences(statement, own.statement), *await _of_period(chain, statement.period)]
    return Verdict(
        envelope=envelope,
        signed=envelope.is_signed,
        differences=tuple(found),
        records=own.records,
        unknown=tuple(_unknown(statement)),
    )


@dataclass(frozen=True, slots=True)
class _Own:
    statement: Statement
    records: int


async def _own(contracts: Contracts, envelope: Envelope, from_block: int) -> _Own:
    statement = envelope.statement
    records = await _records(contracts, from_block, statement.period.last_block)
    held = memberships_held(
        memberships_of(each for each in records if each.kind in OF_AGREEMENTS),
        statement.organization,
        envelope.wallet,
    )
    if not held:
        raise InvalidInput(
            f"no agreement on this chain has an organization {statement.organization} with the "
            f"wallet {envelope.wallet}",
            hint="is it a statement of this deployment? --deployment names the contracts",
        )
    holder = holder_of(held, records, statement.organization)
    sponsored = {
        each.run_id
        for each in records
        if each.kind == "Refunded" and each.data["sponsor"] in holder.wallets
    }
    runs = set(holder.parties) | sponsored
    own = [each for each in records if each.kind in OF_AGREEMENTS or each.run_id in runs]
    try:
        reading = read(own)
        drawn = draw_up(
            reading.facts,
            reading.rounds,
            holder,
            statement.period,
            chain_id=contracts.deployment.chain_id,
            contract=contracts.deployment.rewards,
        )
    except MeteringError as error:
        raise InvalidInput(
            f"the events of the chain do not follow from each other: {error}",
            hint="begin at an earlier block (--from-block), or ask an endpoint with all logs",
        ) from error
    return _Own(drawn, len(own))


async def _records(contracts: Contracts, first: int, last: int) -> list[Record]:
    deployment = contracts.deployment
    addresses = [deployment.addresses[name] for name in _READ]
    found = events.decode(await contracts.chain.logs(addresses, first, last))
    ordered = sorted(found, key=lambda event: (event.block, event.log_index))
    kinds = {*OF_AGREEMENTS, *OF_RUNS}
    changes = [each.block for each in ordered if isinstance(each, events.WalletChanged)]
    times = await details.block_times(contracts, changes)
    records = [record_of(deployment, each, times.get(each.block, 0)) for each in ordered]
    return await details.complete(contracts, [each for each in records if each.kind in kinds])


async def _contracts(envelope: Envelope, chain: Chain, deployment: Deployment | None) -> Contracts:
    """The contracts of the statement: those that the reader trusts, or genuine ones."""
    statement = envelope.statement
    if statement.chain_id != chain.chain_id:
        raise InvalidInput(
            f"the statement is of chain {statement.chain_id}, the endpoint of {chain.chain_id}",
            hint="give --rpc an endpoint of that chain",
        )
    if deployment is not None:
        named = (statement.contract, envelope.royalties)
        if named != (deployment.rewards, deployment.royalties):
            raise InvalidInput(
                f"the statement is of the contracts {' and '.join(named)}, not of the deployment "
                f"given: {deployment.rewards} and {deployment.royalties}"
            )
        return Contracts.at(chain, deployment)
    try:
        found = await _found(chain, statement.contract, envelope.royalties)
    except (ContractReverted, NotDeployed) as error:
        raise InvalidInput(f"the contracts that the statement names: {error}") from error
    for name in _READ:
        address = found.addresses[name]
        if not await is_genuine(chain, name.capitalize(), address):
            raise InvalidInput(
                f"what stands at {address} is not the contract {name.capitalize()} as this "
                "program knows it",
                hint="if you know the contracts to be right, name them with --deployment",
            )
    return Contracts.at(chain, found)


async def _found(chain: Chain, rewards: str, royalties: str) -> Deployment:
    """A deployment from the contract that holds its escrow. What is not read is left at zero."""
    training = Training(chain, await Rewards(chain, rewards).training())
    clerk = Clerk(chain, await training.clerk())
    consortium = Consortium(chain, await training.consortium())
    for contract, what, answered in (
        (training.address, "Rewards", rewards == await training.rewards()),
        (royalties, "Training", await Royalties(chain, royalties).training() == training.address),
        (clerk.address, "Training", await clerk.training() == training.address),
    ):
        if not answered:
            raise NotDeployed(f"{contract} belongs to another {what}")
    return Deployment(
        chain_id=chain.chain_id,
        roles=_NOBODY,
        token=await Rewards(chain, rewards).token(),
        consortium=consortium.address,
        council=await consortium.council(),
        stakes=await clerk.stakes(),
        presence=await clerk.presence(),
        clerk=clerk.address,
        training=training.address,
        rewards=rewards,
        royalties=royalties,
        taskrunner=_NOBODY,
        registry=_NOBODY,
    )


async def _of_period(chain: Chain, period: Period) -> list[StatementDifference]:
    """Are these all the blocks of the time that the statement is about?"""
    last = await chain.block(period.last_block)
    if last is None:
        return [_off("last_block", period.last_block, "gone by a reorganization")]
    found = []
    if last.hash != period.last_block_hash:
        found.append(_off("last_block_hash", period.last_block_hash, last.hash))
    if last.timestamp >= period.ends_s:
        found.append(_off("ends_s", period.ends_s, f"{last.timestamp} at the last block"))
    following = await chain.block(period.last_block + 1)
    # A block of the same second may have come after the statement was drawn up.
    if following is not None and last.timestamp < following.timestamp < period.ends_s:
        found.append(_off("last_block", period.last_block, "a later block is of the period too"))
    first = await chain.block(period.first_block)
    if first is not None and first.timestamp < period.begins_s:
        found.append(_off("begins_s", period.begins_s, f"{first.timestamp} at the first block"))
    before = await chain.block(period.first_block - 1) if period.first_block else None
    if isinstance(before, Block) and before.timestamp >= period.begins_s:
        found.append(_off("first_block", period.first_block, "an earlier one is of the period too"))
    return found


def _off(field: str, stated: object, recomputed: object) -> StatementDifference:
    return StatementDifference("period", field, stated, recomputed)


def _unknown(statement: Statement) -> Iterator[str]:
    if any(line.size_bips is not None for line in statement.lines):
        yield "shares by size go by what nodes said about themselves; nothing is paid by them"
    if statement.reference is not None:
        yield (
            f"the price in {statement.reference.currency} is the issuer's own "
            f"({statement.reference.source}); nothing is paid by it"
        )
