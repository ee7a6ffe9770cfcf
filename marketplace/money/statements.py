"""Statements as the marketplace issues them: drawn up from its index, signed with its key."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from typing import Final, Literal, NamedTuple

import sqlalchemy as sa
from sqlalchemy.orm import Session

from contracts import Contracts
from marketplace.access import Caller
from marketplace.chain.indexer import indexed_block
from marketplace.chain.records import KEPT, Record, record_of_row
from marketplace.errors import Conflict, InvalidInput, NotFound
from marketplace.money import archive
from marketplace.money.archive import Issued
from marketplace.money.envelope import StatementSigner
from marketplace.money.holders import Membership, holder_of, memberships_held, memberships_of
from marketplace.money.paper import to_pdf
from marketplace.money.periods import Span, blocks_of
from marketplace.money.reading import OF_AGREEMENTS, OF_RUNS, read
from marketplace.storage.database import Database
from marketplace.storage.models import Event, UsageReport
from marketplace.storage.models.ledger import Block
from metering.errors import MeteringError
from metering.statement import Period, Reference, draw_up, to_csv

Form = Literal["json", "csv", "pdf"]
_AT_ONCE: Final = 2
_WRITERS: Final[Mapping[str, Callable[[Issued], bytes]]] = {
    "csv": lambda issued: to_csv(issued.envelope.statement).encode(),
    "pdf": lambda issued: to_pdf(issued.envelope, issued.run_names),
}


@dataclass(frozen=True, slots=True)
class Statements:
    """Issues statements.

    Attributes:
        reference: a price to show beside the amounts, if wanted.
    """

    database: Database
    contracts: Contracts
    signer: StatementSigner
    reference: Reference | None
    clock: Callable[[], int]
    # Threads are for all: years of rounds, asked for by many, wait for each other.
    _turns: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(_AT_ONCE))

    async def issue(self, caller: Caller, organization: str, span: Span) -> Issued:
        """Draws up and signs an organization's statement for a period.

        The same period over the same blocks gives the same bytes; one that is over is made once.

        Raises:
            NotFound: the caller's wallet is none of an organization of this name.
            Conflict: no block of the period has been read yet.
            ChainError: the chain does not answer.
        """
        found = await self.database.read(_read, self.contracts.deployment.chain_id)
        # A chain that makes several blocks a second is ahead of the clock.
        now_s = max(self.clock(), found.indexed_s)
        held = _held(caller, found.memberships, organization, now_s)
        wallet = held[0].wallets[0]
        statement_id = self._id(organization, wallet, span)
        kept = await self.database.read(archive.find, statement_id)
        if kept is not None and await self._stands(kept.envelope.statement.period):
            return kept
        period = await blocks_of(self.contracts.chain, span, found.indexed_block)
        async with self._turns:
            issued = await asyncio.to_thread(self._issue, held, organization, period)
        if period.ends_s < span.ends_s:
            return issued  # it is not over yet
        return await self.database.write(archive.keep, statement_id, wallet, issued, self.clock())

    async def write_down(self, issued: Issued, form: Form) -> bytes:
        """A statement as a file: the JSON that is signed, or a table or a paper of it."""
        if form == "json":
            return issued.envelope.to_bytes()
        async with self._turns:
            return await asyncio.to_thread(_WRITERS[form], issued)

    def _id(self, organization: str, wallet: str, span: Span) -> str:
        deployment = self.contracts.deployment
        return archive.id_of(
            {
                "chain_id": deployment.chain_id,
                "contract": deployment.rewards,
                "organization": organization,
                "wallet": wallet,
                "begins_s": span.begins_s,
                "ends_s": span.ends_s,
                "reference": self.reference,
                "key": self.signer.public_key,
            }
        )

    async def _stands(self, period: Period) -> bool:
        block = await self.contracts.chain.block(period.last_block)
        return block is not None and block.hash == period.last_block_hash

    def _issue(self, held: Sequence[Membership], organization: str, period: Period) -> Issued:
        records, reports = self.database.read_now(_records, held, period.last_block)
        # As of the period's end: a wallet that came later is no part of it.
        wallet = held[0].wallets[0]
        past = memberships_held(
            memberships_of(each for each in records if each.kind in OF_AGREEMENTS),
            organization,
            wallet,
        )
        if not past:
            raise Conflict(f"{organization} took part in nothing by then", hint="a later period")
        holder = holder_of(past, records, organization)
        try:
            reading = read(records, _samples_of(reports, records))
            statement = draw_up(
                reading.facts,
                reading.rounds,
                holder,
                period,
                chain_id=self.contracts.deployment.chain_id,
                contract=self.contracts.deployment.rewards,
                reference=self.reference,
            )
        except MeteringError as error:
            raise Conflict(
                f"the books do not allow a statement: {error}",
                hint=error.hint or "swarm-market reconcile says where they differ",
            ) from error
        envelope = self.signer.sign(statement, wallet, self.contracts.deployment.royalties)
        names = {each.run_id: each.data["name"] for each in records if each.kind == "RunCreated"}
        return Issued(envelope, names)


class _Reported(NamedTuple):
    """How many samples a node trained on, in which rounds.

    The rounds are numbers with spaces between them: so the database joins them.
    """

    run_id: str
    spiffe_id: str
    samples: int
    rounds: str


@dataclass(frozen=True, slots=True)
class _Found:
    memberships: list[Membership]
    indexed_block: int
    indexed_s: int


def _read(session: Session, chain_id: int) -> _Found:
    block = indexed_block(session, chain_id)
    if block < 0:
        raise Conflict("nothing has been read from the chain yet", hint="wait for the index")
    newest = sa.select(Block.time_s).where(Block.chain_id == chain_id)
    time_s = session.scalar(newest.order_by(Block.number.desc()).limit(1))
    agreements = _ordered(session, Event.kind.in_(OF_AGREEMENTS), Event.chain_id == chain_id)
    return _Found(memberships_of(agreements), block, time_s or 0)


def _held(
    caller: Caller, memberships: Sequence[Membership], organization: str, now_s: int
) -> list[Membership]:
    """The organization's memberships, as the caller may see them.

    Its present wallet does, and its auditors; so do those of the marketplace. An admin sees whoever
    came first under a name. A wallet that was replaced sees nothing any more.
    """
    sees_all = caller.is_admin or caller.is_auditor
    looking_for = {caller.signed_in, *caller.audits_for}
    for membership in memberships:
        if membership.organization != organization:
            continue
        held = memberships_held(memberships, organization, membership.wallets[0])
        wallets = {each.present(now_s) for each in held}
        if sees_all or not looking_for.isdisjoint(wallets):
            return held
    # Also for a visitor: he is asked to sign in before he learns what there is.
    raise NotFound(
        f"{caller.signed_in} is no wallet of an organization {organization}",
        hint="statements are for the organization itself, under the name in its agreements",
    )


def _records(
    session: Session, held: Sequence[Membership], last_block: int
) -> tuple[list[Record], list[_Reported]]:
    """The records of agreements and of the runs of these memberships or paid by their wallets."""
    agreements = [each.agreement_id for each in held]
    wallets = {wallet for each in held for wallet in each.wallets}
    runs = set(
        session.scalars(
            sa.select(Event.run_id).where(
                Event.kind == "RunCreated", Event.agreement_id.in_(agreements)
            )
        )
    )
    refunds = session.execute(sa.select(Event.run_id, Event.data).where(Event.kind == "Refunded"))
    runs |= {run_id for run_id, data in refunds if data["sponsor"] in wallets}
    records = _ordered(
        session,
        Event.block <= last_block,
        sa.or_(
            Event.kind.in_(OF_AGREEMENTS),
            sa.and_(Event.kind.in_(OF_RUNS), Event.run_id.in_(runs)),
        ),
    )
    return records, _reported(session, [each for each in runs if each])


def _reported(session: Session, runs: Collection[str]) -> list[_Reported]:
    """What nodes told of their samples; mostly a node's are the same in all of its rounds."""
    same = UsageReport.run_id, UsageReport.spiffe_id, UsageReport.samples
    rounds = sa.func.aggregate_strings(sa.cast(UsageReport.round, sa.Text), " ")
    query = sa.select(*same, rounds).where(UsageReport.run_id.in_(runs)).group_by(*same)
    return [_Reported(*row) for row in session.execute(query)]


def _ordered(session: Session, *which: sa.ColumnElement[bool]) -> list[Record]:
    block = sa.and_(Block.chain_id == Event.chain_id, Block.number == Event.block)
    query = sa.select(*KEPT, Block.time_s).outerjoin(Block, block).where(*which)
    rows = session.execute(query.order_by(Event.block, Event.log_index))
    return [record_of_row(row) for row in rows]


def _samples_of(
    reports: Iterable[_Reported], records: Sequence[Record]
) -> Callable[[str, int], Mapping[int, int]]:
    """Adds up what nodes reported, by the organizations that their SPIFFE IDs name."""
    agreements = {each.run_id: each.agreement_id for each in records if each.kind == "RunCreated"}
    parties = {
        each.agreement_id: {m["organization"]: n for n, m in enumerate(each.data["members"])}
        for each in records
        if each.kind in ("AgreementActivated", "AgreementAmended")
    }
    found: defaultdict[str, defaultdict[int, dict[int, int]]] = defaultdict(
        lambda: defaultdict(dict)
    )
    for each in reports:
        named = parties.get(agreements.get(each.run_id, ""), {})
        party = named.get(_organization(each.spiffe_id))
        if party is None:
            continue
        of_run = found[each.run_id]
        for number in map(int, each.rounds.split()):
            told = of_run[number]
            told[party] = told.get(party, 0) + each.samples
    return lambda run_id, number: found[run_id][number]


def _organization(spiffe_id: str) -> str:
    """`spiffe://<trust domain>/org/<organization>/node/<node>`"""
    parts = spiffe_id.split("/")
    return parts[4] if len(parts) > 4 else ""


def reference_of(currency: str, price: str, source: str) -> Reference | None:
    """The reference price of the settings; None if there is none.

    Raises:
        InvalidInput: half of it is missing, or it is no price.
    """
    if not (currency or price or source):
        return None
    if not (currency and price and source):
        raise InvalidInput(
            "a reference price needs a currency, a price and a label",
            hint="set reference_currency, reference_price and reference_label, or none of them",
        )
    try:
        return Reference(currency=currency, price=Decimal(price), source=source)
    except (MeteringError, InvalidOperation) as error:
        raise InvalidInput(f"the reference price cannot be used: {error}") from error
