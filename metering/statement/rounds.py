"""The rounds of a statement: one line for each."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from metering.errors import MeteringError
from metering.ledger import Division, Place
from metering.split import equal_share_bips, size_share_bips
from metering.statement.model import Line, Period


@dataclass(frozen=True, slots=True, kw_only=True)
class SealedRound:
    """A round that was sealed, whether it paid anything or not.

    Attributes:
        model: 0x-hex root of the merged model.
        roster: parties whose updates went into it.
        metered: what the measured contributions come to; None if they were not measured.
        samples: party to samples as its nodes declared them; None if not known of all.
    """

    place: Place
    run: str
    round: int
    model: str
    roster: tuple[int, ...]
    metered: Division | None = None
    samples: Mapping[int, int] | None = field(default=None, hash=False)


@dataclass(frozen=True, slots=True)
class RoundCredit:
    """What a round divided, what the organization got of it, and where."""

    place: Place
    available_wei: int
    amount_wei: int


def lines_of(
    rounds: Iterable[SealedRound],
    credits: Mapping[tuple[str, int], RoundCredit],
    parties: Mapping[str, int],
    period: Period,
) -> tuple[Line, ...]:
    """Return the lines of a period in the order of the chain.

    Args:
        rounds: sealed ones, of whatever runs.
        credits: (run, round) to what it credited, up to the end of the period.
        parties: run to the organization's number in it.
        period: of which blocks.

    Raises:
        MeteringError: something was credited for a round that is not among them.
    """
    open_credits = dict(credits)
    found: list[tuple[Place, Line]] = []
    for sealed in rounds:
        if sealed.run not in parties:
            continue
        unpaid = RoundCredit(sealed.place, 0, 0)
        credit = open_credits.pop((sealed.run, sealed.round), unpaid)
        if not period.first_block <= credit.place.block <= period.last_block:
            continue
        party = parties[sealed.run]
        line = Line(
            run=sealed.run,
            party=party,
            round=sealed.round,
            model=sealed.model,
            metered_bips=None if sealed.metered is None else sealed.metered.bips(party),
            equal_bips=equal_share_bips(sealed.roster, party),
            size_bips=None if sealed.samples is None else size_share_bips(sealed.samples, party),
            vested_wei=credit.available_wei,
            amount_wei=credit.amount_wei,
            transaction=credit.place.transaction,
            block=credit.place.block,
        )
        found.append((credit.place, line))
    found.sort(key=lambda each: (each[0].block, each[0].log_index, each[1].run, each[1].round))
    for (run, round_), credit in open_credits.items():
        if credit.amount_wei and credit.place.block >= period.first_block:
            raise MeteringError(
                f"round {round_} of run {run} credits {credit.amount_wei} wei, "
                "and is not among the sealed rounds"
            )
    return tuple(line for _, line in found)
