"""Whose money is whose: the memberships of an organization in all agreements, by public records.

Anybody can found an agreement and call a party as he likes. So an organization is a name and a
wallet: its memberships are those under this name that its wallet holds, or a wallet that follows
from it by the changes that the chain recorded.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from marketplace.chain.records import Record
from metering.statement import Holder


@dataclass(slots=True)
class Membership:
    """One party of one agreement.

    Attributes:
        wallets: all that it ever had, the first one first.
        changes: when each of them took or takes effect, in order; the first one from the beginning.
    """

    agreement_id: str
    party: int
    organization: str
    wallets: list[str]
    changes: list[tuple[int, str]] = field(default_factory=list)

    def present(self, now_s: int) -> str:
        """The wallet that holds it at a time."""
        return next(wallet for since_s, wallet in reversed(self.changes) if since_s <= now_s)


def memberships_of(records: Iterable[Record]) -> list[Membership]:
    """All memberships of all agreements, in the order of the chain.

    Args:
        records: the agreements' events in order; those of `WalletChanged` with their time.
    """
    memberships: dict[tuple[str, int], Membership] = {}
    for record in records:
        if record.kind in ("AgreementActivated", "AgreementAmended"):
            for number, member in enumerate(record.data["members"]):
                place, wallet = (record.agreement_id, number), member["wallet"]
                if place not in memberships:
                    memberships[place] = Membership(
                        *place, member["organization"], [wallet], [(0, wallet)]
                    )
                elif wallet not in memberships[place].wallets:
                    memberships[place].wallets.append(wallet)
        elif record.kind == "WalletChanged":
            membership = memberships.get((record.agreement_id, record.number("party")))
            if membership is None:
                continue  # of an agreement from before the first block that was read
            if record.time_s < membership.changes[-1][0]:
                _, called_off = membership.changes.pop()  # before it took effect
                if all(called_off != wallet for _, wallet in membership.changes):
                    membership.wallets.remove(called_off)
            wallet = record.data["wallet"]
            membership.changes.append((record.number("since"), wallet))
            if wallet not in membership.wallets:
                membership.wallets.append(wallet)
    return list(memberships.values())


def memberships_held(
    memberships: Sequence[Membership], organization: str, wallet: str
) -> list[Membership]:
    """The memberships of an organization: of its name, and of this wallet or those that follow."""
    named = [each for each in memberships if each.organization == organization]
    wallets, held = {wallet}, 0
    while len(wallets) > held:
        held = len(wallets)
        for membership in named:
            if wallets.intersection(membership.wallets):
                wallets.update(membership.wallets)
    return [each for each in named if wallets.intersection(each.wallets)]


def holder_of(held: Sequence[Membership], records: Iterable[Record], organization: str) -> Holder:
    """The holder of these memberships, with its number in each run of their agreements."""
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
