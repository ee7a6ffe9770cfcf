"""What events leave out and the chain tells otherwise: asked once, when an event is read.

Only what never changes is asked for, or what was so at the event's own block; so a lost index comes
back with the very same answers.
"""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Iterable
from typing import Any, Final

from contracts import Contracts
from contracts.calldata import agreements_in
from contracts.errors import ChainRefused
from contracts.messages import struct_hash, to_json
from marketplace.chain.records import Record

# Requests that may be under way at once.
_AT_ONCE: Final = 16
_HASHES: Final = {"AgreementActivated": "agreement", "AgreementAmended": "agreement_hash"}


async def complete(contracts: Contracts, records: Iterable[Record]) -> list[Record]:
    """Returns the records, those that need it with details added to their data.

    `AgreementActivated` and `AgreementAmended` get `members` (organization, wallet, weight of each
    party), `penalty_recipient`, and `message`: all that was signed, or None if the transaction does
    not show it. `RunCreated` gets `terms`. `Sealed` under local metering gets `roster`, a set of
    parties as in `contracts.parties`, if no row that counted tells it.

    Raises:
        ChainError: the chain does not answer.
    """
    turn = asyncio.Semaphore(_AT_ONCE)
    given = list(records)

    async def completed(record: Record) -> Record:
        async with turn:
            found = await _details(contracts, record, given)
        return record if not found else dataclasses.replace(record, data={**record.data, **found})

    return list(await asyncio.gather(*map(completed, given)))


async def block_times(contracts: Contracts, blocks: Iterable[int]) -> dict[int, int]:
    """Returns when these blocks were made: number to Unix seconds; those that are gone left out."""
    turn = asyncio.Semaphore(_AT_ONCE)

    async def look(number: int) -> tuple[int, int | None]:
        async with turn:
            found = await contracts.chain.block(number)
        return number, None if found is None else found.timestamp

    found = await asyncio.gather(*map(look, sorted(set(blocks))))
    return {number: time_s for number, time_s in found if time_s is not None}


async def _details(contracts: Contracts, record: Record, others: list[Record]) -> dict[str, Any]:
    if record.kind in _HASHES:
        return await _agreement(contracts, record)
    if record.kind == "RunCreated":
        terms = await contracts.training.terms(bytes.fromhex(record.run_id[2:]))
        return {"terms": to_json(terms)}
    if record.kind == "Sealed" and not _has_row(record, others):
        # Under local metering, who is in the roster stands in the rows; if none counts, here.
        clerk = contracts.clerk.at_block(record.place.block)
        book = await clerk.book(bytes.fromhex(record.run_id[2:]))
        waits = book.sealed_hash != bytes(32) and book.round == record.data["round"] > 0
        return {"roster": book.roster} if waits else {}
    return {}


def _has_row(sealed: Record, others: list[Record]) -> bool:
    """Whether it is of local metering, and a row that counted came with it; or it is not."""
    if sealed.data["loss_after"] or sealed.data["shares"] != "0x":
        return True
    return any(
        each.kind == "RowCounted"
        and each.run_id == sealed.run_id
        and each.data["round"] == sealed.data["round"]
        for each in others
    )


async def _agreement(contracts: Contracts, record: Record) -> dict[str, Any]:
    wanted = bytes.fromhex(str(record.data[_HASHES[record.kind]])[2:])
    transaction = await contracts.chain.request(
        "eth_getTransactionByHash", record.place.transaction
    )
    data = bytes.fromhex(str((transaction or {}).get("input", "0x"))[2:])
    for agreement in agreements_in(data):
        if struct_hash(agreement) == wanted:
            return {
                "members": [dataclasses.asdict(each) for each in agreement.parties],
                "penalty_recipient": agreement.bylaws.penalty_recipient,
                "message": to_json(agreement),
            }
    # Brought there in a way that does not show it: names and wallets stand in the contract.
    identifier = bytes.fromhex(record.agreement_id[2:])
    consortium = contracts.consortium.at_block(record.place.block)
    try:
        parties, bylaws = await asyncio.gather(
            consortium.parties(identifier), consortium.bylaws(identifier)
        )
    except ChainRefused as error:
        raise ChainRefused(
            f"the endpoint does not know the state at block {record.place.block}: {error}",
            code=error.code,
            hint="point rpc_url at an endpoint that keeps all states (an archive node)",
        ) from error
    return {
        "members": [dataclasses.asdict(each) for each in parties],
        "penalty_recipient": bylaws.penalty_recipient,
        "message": None,
    }
