"""Whose money is whose: the seats of an organization in all agreements, by public records.

Anybody can found an agreement and call a party as he likes. So an organization is a name and a
wallet: its seats are those under this name that its wallet holds, or a wallet that follows from it
by the changes that the chain recorded.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from marketplace.chain.records import Record
from metering.statement import Holder


@dataclass(slots=True)
class Seat:
    """One party of one agreement: `wallets` are all that it ever had, the first one first."""

    agreement_id: str
    party: int
    organization: str
    wallets: list[str]
    pending_s: int = field(default=0)  # when the last of them takes effect; until then it may not


def seats_of(records: Iterable[Record]) -> list[Seat]:
    """All seats of all agreements, in the order of the chain.

    Args:
        records: the agreements' events in order; those of `WalletChanged` with their time.
    """
    seats: dict[tuple[str, int], Seat] = {}
    for record in records:
        if record.kind in ("AgreementActivated", "AgreementAmended"):
            for number, member in enumerate(record.data["members"]):
                place = record.agreement_id, number
                seat = seats.setdefault(place, Seat(*place, member["organization"], []))
                if member["wallet"] not in seat.wallets:
                    seat.wallets.append(member["wallet"])
        elif record.kind == "WalletChanged":
            changed = seats.get((record.agreement_id, record.number("party")))
            if changed is None:
                continue  # of an agreement from before the first block that was read
            seat = changed
            if record.time_s < seat.pending_s:
                seat.wallets.pop()  # called off before it took effect
            seat.pending_s = record.number("since")
            if record.data["wallet"] not in seat.wallets:
                seat.wallets.append(record.data["wallet"])
            else:
                seat.pending_s = 0
    return list(seats.values())


def seats_held(seats: Sequence[Seat], organization: str, wallet: str) -> list[Seat]:
    """The seats of an organization: of its name, and of this wallet or those that follow."""
    named = [each for each in seats if each.organization == organization]
    wallets, held = {wallet}, 0
    while len(wallets) > held:
        held = len(wallets)
        for seat in named:
            if wallets.intersection(seat.wallets):
                wallets.update(seat.wallets)
    return [each for each in named if wallets.intersection(each.wallets)]


def holder_of(held: Sequence[Seat], records: Iterable[Record], organization: str) -> Holder:
    """The holder of these seats, with its number in each run of their agreements."""
    parties = {each.agreement_id: each.party for each in held}
    return Holder(
        organization=organization,
        parties={
            each.run_id: parties[each.agreement_id]
            for each in records
            if each.kind == "RunCreated" and each.agreement_id in parties
        },
        wallets=frozenset(wallet for each in held for wallet in each.wallets),
    )
