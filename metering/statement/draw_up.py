"""Statements from the facts of the chain: the issuer's, and anyone's who checks it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from metering.errors import MeteringError
from metering.ledger import (
    Account,
    Claimed,
    Credited,
    Fact,
    Kind,
    Refunded,
    RoyaltyClaimed,
    RoyaltyPaid,
    RunFact,
    Tally,
)
from metering.statement.model import Cause, Movement, Period, Reference, Statement
from metering.statement.rounds import RoundCredit, SealedRound, lines_of
from metering.statement.sums import closing_wei, faults, totals


@dataclass(frozen=True, slots=True, kw_only=True)
class Holder:
    """Whose statement it is.

    Attributes:
        organization: its name.
        parties: run to the organization's number in the run's agreement, for all its runs.
        wallets: addresses that it had, as the facts write them; refunds to them are shown.
    """

    organization: str
    parties: Mapping[str, int]
    wallets: frozenset[str] = frozenset()


def draw_up(
    facts: Iterable[Fact],
    rounds: Iterable[SealedRound],
    holder: Holder,
    period: Period,
    *,
    chain_id: int,
    contract: str,
    reference: Reference | None = None,
) -> Statement:
    """Draw up an organization's statement for a period.

    Args:
        facts: all of the holder's runs and of those it sponsored, from the first block of the
            deployment on, in the order of the chain; later ones are left out.
        rounds: the sealed rounds of these runs. A round that credited nothing by the period's end
            has a line over 0 wei in the period in which it was sealed; if it is settled in a later
            period, as in `local`, that period has the line with the amount.
        holder: whose statement.
        period: of which blocks.
        chain_id: of the deployment.
        contract: address of the contract that holds its escrow.
        reference: a price to show beside the amounts.

    Raises:
        MeteringError: the facts do not follow from each other, see `metering.ledger.record`; or a
            sealed round is missing, or given twice.
    """
    tally, opening_wei = Tally(), 0
    credits: dict[tuple[str, int], RoundCredit] = {}
    movements: list[Movement] = []
    own = {
        run: [Account(kind, run, party) for kind in (Kind.CLAIMABLE, Kind.ROYALTY)]
        for run, party in holder.parties.items()
    }

    def due(run: str) -> int:
        return sum(map(tally.balance_wei, own.get(run, ())))

    for fact in facts:
        here = fact.place.chain_id == chain_id and fact.place.block <= period.last_block
        if not here or not isinstance(fact, RunFact):
            continue
        before_wei, due_wei = tally.credited_wei(fact.run), due(fact.run)
        if not tally.add(fact):
            continue
        change_wei = due(fact.run) - due_wei
        if isinstance(fact, Credited):
            available_wei = fact.vested_wei - before_wei
            credits[fact.run, fact.round] = RoundCredit(fact.place, available_wei, change_wei)
        if fact.place.block < period.first_block:
            opening_wei += change_wei
        else:
            movements += _movements(fact, change_wei, holder)
    lines = lines_of(rounds, credits, holder.parties, period)
    sums = totals(lines, movements)
    statement = Statement(
        chain_id=chain_id,
        contract=contract,
        organization=holder.organization,
        period=period,
        opening_wei=opening_wei,
        lines=lines,
        movements=tuple(movements),
        totals=sums,
        closing_wei=closing_wei(opening_wei, sums),
        reference=reference,
    )
    for fault in faults(statement):
        raise MeteringError(f"cannot draw up the statement of {holder.organization}: {fault}")
    return statement


def _movements(fact: RunFact, change_wei: int, holder: Holder) -> Iterator[Movement]:
    cause, account, amount_wei = None, "", abs(change_wei)
    match fact:
        case Claimed():
            cause, account = Cause.CLAIM, fact.recipient
        case RoyaltyPaid():
            cause, account = Cause.ROYALTY, fact.buyer
        case RoyaltyClaimed():
            cause, account = Cause.ROYALTY_CLAIM, fact.recipient
        case Refunded() if fact.sponsor in holder.wallets:
            cause, account, amount_wei = Cause.REFUND, fact.sponsor, fact.amount_wei
    if cause is not None and amount_wei:
        yield Movement(
            cause=cause,
            run=fact.run,
            amount_wei=amount_wei,
            account=account,
            transaction=fact.place.transaction,
            block=fact.place.block,
        )
