"""Do the books say what the chain says? Every account, at one and the same block."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Mapping
from dataclasses import dataclass
from typing import Any, Final, TypeVar

import sqlalchemy as sa
from sqlalchemy.orm import Session

from contracts import Contracts
from contracts.deployment import Deployment
from marketplace.chain import books
from marketplace.errors import Conflict, Unavailable
from marketplace.storage.database import Database
from marketplace.storage.models import Cursor, Event
from marketplace.storage.models.ledger import LedgerEntry
from metering.ledger import (
    HOLDERS,
    Account,
    ChainAccount,
    ChainPool,
    ChainRoyalties,
    Difference,
    Kind,
    reconcile,
)

T = TypeVar("T")
# Requests that may be under way at once, and how often to start again when the index moves on.
_AT_ONCE: Final = 16
_TRIES: Final = 5
_TEXTS: Final = ("AgreementActivated", "AgreementAmended")


@dataclass(frozen=True, slots=True)
class Report:
    """A comparison as of one block.

    Attributes:
        compared: figures that were looked at.
        differences: what the books and the chain do not agree on.
        miscounted: accounts whose kept balance is not the sum of their postings.
        strays_wei: contract to tokens that were sent to it other than by its functions: they
            belong to nobody, and are in no account.
    """

    chain_id: int
    block: int
    block_hash: str
    runs: int
    accounts: int
    entries: int
    compared: int
    differences: tuple[Difference, ...]
    miscounted: Mapping[str, tuple[int, int]]
    strays_wei: Mapping[str, int]
    given_wei: int
    received_wei: int

    @property
    def agrees(self) -> bool:
        return not self.differences and not self.miscounted and self.given_wei == self.received_wei

    def to_json(self) -> dict[str, Any]:
        """The report as the API shows it: amounts are decimals in strings."""
        return {
            "agrees": self.agrees,
            "chain_id": self.chain_id,
            "block": self.block,
            "block_hash": self.block_hash,
            "runs": self.runs,
            "accounts": self.accounts,
            "entries": self.entries,
            "compared": self.compared,
            "differences": [
                {
                    "what": each.what,
                    "book_wei": str(each.book_wei),
                    "chain_wei": str(each.chain_wei),
                    "text": str(each),
                }
                for each in self.differences
            ],
            "miscounted": [
                {"account": account, "kept_wei": str(kept), "counted_wei": str(counted)}
                for account, (kept, counted) in self.miscounted.items()
            ],
            "strays_wei": {name: str(wei) for name, wei in self.strays_wei.items()},
            "given_wei": str(self.given_wei),
            "received_wei": str(self.received_wei),
        }


@dataclass(frozen=True, slots=True)
class _Book:
    """The books as of the last block that was read."""

    block: int
    block_hash: str
    balances: dict[Account, int]
    miscounted: Mapping[str, tuple[int, int]]
    runs: tuple[tuple[str, int], ...]  # id, parties
    stakers: tuple[tuple[str, int], ...]  # agreement, party
    transfers: tuple[tuple[str, str, int], ...]
    entries: int


async def compare(database: Database, contracts: Contracts) -> Report:
    """Compares all accounts with what the contracts answer at the last block that was read.

    Raises:
        ChainError: the chain does not answer, or does not know the state at that block any more.
        Conflict: nothing has been read from the chain yet.
        Unavailable: the index moved on each time.
    """
    deployment = contracts.deployment
    for _ in range(_TRIES):
        book = await database.read(_book, deployment)
        before = await contracts.chain.block(book.block)
        if before is not None and before.hash == book.block_hash:
            report = await _compare(book, contracts)
            after = await contracts.chain.block(book.block)
            if after is not None and after.hash == book.block_hash:
                return report
        # The chain was reorganized, and the index has not followed yet.
        await asyncio.sleep(0.2)
    raise Unavailable("the chain is being reorganized", hint="try again in a moment")


async def _compare(book: _Book, contracts: Contracts) -> Report:
    turn = asyncio.Semaphore(_AT_ONCE)

    async def ask(question: Awaitable[T]) -> T:
        async with turn:
            return await question

    at = book.block
    rewards, royalties = contracts.rewards.at_block(at), contracts.royalties.at_block(at)
    stakes, token = contracts.stakes.at_block(at), contracts.token.at_block(at)

    async def pool(run: str, parties: int) -> ChainPool:
        run_id = bytes.fromhex(run[2:])
        found = await ask(rewards.pool(run_id))
        accounts = await asyncio.gather(
            *(ask(rewards.account(run_id, party)) for party in range(parties))
        )
        return ChainPool(
            run,
            found.funded,
            found.credited,
            found.claimed,
            found.refunded,
            {n: ChainAccount(each.accrued, each.claimed) for n, each in enumerate(accounts)},
        )

    async def sale(run: str, parties: int) -> ChainRoyalties:
        run_id = bytes.fromhex(run[2:])
        found = await ask(royalties.sale(run_id))
        if not found.received:
            return ChainRoyalties(run, 0)
        paid = await asyncio.gather(
            *(ask(royalties.account(run_id, party)) for party in range(parties))
        )
        return ChainRoyalties(
            run, found.received, {n: claimed for n, (_, claimed) in enumerate(paid)}
        )

    async def stake(agreement: str, party: int) -> int:
        found = await ask(stakes.stake(bytes.fromhex(agreement[2:]), party))
        return found.locked + found.leaving

    pools = await asyncio.gather(*(pool(*run) for run in book.runs))
    sales = await asyncio.gather(*(sale(*run) for run in book.runs))
    stake_wei = await asyncio.gather(*(stake(*staker) for staker in book.stakers))
    holders = {name: getattr(contracts.deployment, name.lower()) for name in HOLDERS.values()}
    held = await asyncio.gather(*(ask(token.balance_of(address)) for address in holders.values()))
    strays = _strays(book, dict(zip(holders, holders.values(), strict=True)))
    tokens = {name: wei - strays.get(name, 0) for name, wei in zip(holders, held, strict=True)}
    differences = reconcile(
        book.balances,
        pools,
        royalties=sales,
        stakes=dict(zip(book.stakers, stake_wei, strict=True)),
        tokens_wei=tokens,
    )
    positive = sum(wei for wei in book.balances.values() if wei > 0)
    return Report(
        chain_id=contracts.deployment.chain_id,
        block=book.block,
        block_hash=book.block_hash,
        runs=len(book.runs),
        accounts=len(book.balances),
        entries=book.entries,
        compared=4 * len(pools)
        + 2 * sum(len(each.accounts) for each in pools)
        + sum(1 + len(each.claimed_wei) for each in sales)
        + len(book.stakers)
        + len(tokens),
        differences=differences,
        miscounted=book.miscounted,
        strays_wei={name: wei for name, wei in strays.items() if wei},
        given_wei=positive - sum(book.balances.values()),
        received_wei=positive,
    )


def _strays(book: _Book, holders: Mapping[str, str]) -> dict[str, int]:
    """Tokens that arrived by plain transfers: what came less what left less what is accounted."""
    strays: dict[str, int] = {}
    for name, address in holders.items():
        moved = sum(
            wei * ((to == address) - (sender == address)) for sender, to, wei in book.transfers
        )
        accounted = sum(
            wei for each, wei in book.balances.items() if HOLDERS.get(each.kind) == name
        )
        strays[name] = max(0, moved - accounted)
    return strays


def _book(session: Session, deployment: Deployment) -> _Book:
    cursor = session.get(Cursor, deployment.chain_id)
    if cursor is None:
        raise Conflict("nothing has been read from the chain yet", hint="start the marketplace")
    balances = books.balances(session)
    parties: dict[str, int] = {}
    runs = []
    query = sa.select(Event).where(Event.kind.in_((*_TEXTS, "RunCreated", "Transfer")))
    transfers = []
    for event in session.scalars(query.order_by(Event.block, Event.log_index)):
        if event.kind == "Transfer":
            data = event.data
            transfers.append((data["sender"], data["to"], int(data["value"])))
        elif event.kind == "RunCreated":
            runs.append((event.run_id or "", parties[event.agreement_id or ""]))
        else:
            parties[event.agreement_id or ""] = int(event.data["parties"])
    stakers = {(each.scope, each.party or 0) for each in balances if each.kind is Kind.STAKE}
    return _Book(
        block=cursor.block,
        block_hash=cursor.block_hash,
        balances=balances,
        miscounted=books.recount(session),
        runs=tuple(runs),
        stakers=tuple(sorted(stakers)),
        transfers=tuple(transfers),
        entries=session.scalar(sa.select(sa.func.count(LedgerEntry.number))) or 0,
    )
