"""How amounts are divided between parties: the contracts' division, one for all rules."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from operator import ge

from metering.errors import MeteringError
from metering.ledger.accounts import check_count, check_party
from metering.split import FULL_BIPS, Row, local_parts


@dataclass(frozen=True, slots=True)
class Division:
    """How an amount is divided: party i gets amount · part_i // whole, as in the contracts.

    Attributes:
        parts: (party, part), parties ascending, all parts together at most `whole`.
        whole: 10,000 where parts are basis points; the denominator of the averaged rows in `local`;
            the sum of all parts where these are cumulative amounts.
    """

    parts: tuple[tuple[int, int], ...]
    whole: int = FULL_BIPS

    def __post_init__(self) -> None:
        if type(self.whole) is not int or self.whole <= 0:
            raise MeteringError(f"{self.whole!r} is nothing to divide by")
        parties, parts = [party for party, _ in self.parts], [part for _, part in self.parts]
        for party in parties:
            check_party(party)
        for part in parts:
            check_count(part, "part")
        if any(map(ge, parties, parties[1:])):
            raise MeteringError(f"the parties of {self.parts} do not ascend")
        if sum(parts) > self.whole:
            raise MeteringError(f"the parts of {self.parts} exceed {self.whole}")

    @classmethod
    def by_row(cls, row: Sequence[tuple[int, int]]) -> Division:
        """Divide by a row of basis points, see `metering.split`."""
        return cls(tuple(row))

    @classmethod
    def by_local_rows(cls, parties: Sequence[int], rows: Mapping[int, Row | None]) -> Division:
        """Divide by what a roster's organizations say of each other, see `local_parts`."""
        numerators, divisor = local_parts(parties, rows)
        return cls(tuple(sorted(numerators.items())), divisor)

    @classmethod
    def by_amounts(cls, amounts: Sequence[tuple[int, int]]) -> Division:
        """Divide in proportion to amounts, not all of them zero: royalties by what was credited."""
        return cls(tuple(amounts), sum(amount for _, amount in amounts))

    def amounts_wei(self, available_wei: int) -> tuple[tuple[int, int], ...]:
        """Return (party, wei) for each part, rounded down."""
        return tuple((party, available_wei * part // self.whole) for party, part in self.parts)

    def bips(self, party: int) -> int:
        """Return a party's part in basis points, rounded down; zero if it has none."""
        return dict(self.parts).get(party, 0) * FULL_BIPS // self.whole
