"""Does the book say what the chain says? Every account, to the wei."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from metering.ledger.accounts import HOLDERS, Account, Kind


@dataclass(frozen=True, slots=True)
class ChainAccount:
    """What a contract says about a party."""

    accrued_wei: int
    claimed_wei: int


@dataclass(frozen=True, slots=True)
class ChainPool:
    """What the contract says about a run's pool, and about each party's account in it."""

    run: str
    funded_wei: int
    credited_wei: int
    claimed_wei: int
    refunded_wei: int
    accounts: Mapping[int, ChainAccount] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ChainRoyalties:
    """What the contract says about the licenses of a run's model: `claimed_wei` by party."""

    run: str
    received_wei: int
    claimed_wei: Mapping[int, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Difference:
    """A figure that the book and the chain do not agree on."""

    what: str
    book_wei: int
    chain_wei: int

    def __str__(self) -> str:
        apart = self.book_wei - self.chain_wei
        more = "more" if apart > 0 else "less"
        return (
            f"{self.what}: {self.book_wei} wei in the book, {self.chain_wei} wei on chain: "
            f"{abs(apart)} wei {more} in the book"
        )


def reconcile(
    balances: Mapping[Account, int],
    pools: Iterable[ChainPool],
    *,
    royalties: Iterable[ChainRoyalties] | None = None,
    stakes: Mapping[tuple[str, int], int] | None = None,
    tokens_wei: Mapping[str, int] | None = None,
) -> tuple[Difference, ...]:
    """Compare a book with the chain as of the same block.

    Args:
        balances: of the book, see `Book.balances`.
        pools: of all runs.
        royalties: of all runs; None if not to be compared.
        stakes: (agreement, party) to its whole stake, of all parties; None if not to be compared.
        tokens_wei: contract (see `HOLDERS`) to all tokens that it holds, for those to be compared.
            Tokens sent to a contract other than by its functions belong to nobody, and show as a
            difference.

    Returns:
        What differs; nothing if all is well. What only one side knows is zero on the other.
    """
    compared = list(_runs(balances, pools))
    if royalties is not None:
        compared += _royalties(balances, royalties)
    if stakes is not None:
        own = {(each.scope, each.party or 0): wei for each, wei in _of(balances, Kind.STAKE)}
        for place in sorted(own.keys() | stakes.keys()):
            what = f"stake of party {place[1]} under agreement {place[0]}"
            compared.append(Difference(what, own.get(place, 0), stakes.get(place, 0)))
    for contract, wei in (tokens_wei or {}).items():
        held_wei = sum(
            own_wei for each, own_wei in balances.items() if HOLDERS.get(each.kind) == contract
        )
        compared.append(Difference(f"tokens that {contract} holds", held_wei, wei))
    return tuple(each for each in compared if each.book_wei != each.chain_wei)


def _runs(balances: Mapping[Account, int], pools: Iterable[ChainPool]) -> Iterator[Difference]:
    on_chain = {pool.run: pool for pool in pools}
    parties: dict[str, set[int]] = {run: set(pool.accounts) for run, pool in on_chain.items()}
    for account, _ in _of(balances, Kind.SPONSOR, Kind.CLAIMABLE, Kind.PAID):
        known = parties.setdefault(account.scope, set())
        if account.party is not None:
            known.add(account.party)

    for run in sorted(parties):
        pool = on_chain.get(run, ChainPool(run, 0, 0, 0, 0))
        due, paid = (
            {party: balances.get(Account(kind, run, party), 0) for party in sorted(parties[run])}
            for kind in (Kind.CLAIMABLE, Kind.PAID)
        )
        funded_wei = -balances.get(Account(Kind.SPONSOR, run), 0)
        refunded_wei = balances.get(Account(Kind.REFUNDED, run), 0)
        of = f"of run {run}"
        yield Difference(f"funded {of}", funded_wei, pool.funded_wei)
        yield Difference(f"credited {of}", sum((*due.values(), *paid.values())), pool.credited_wei)
        yield Difference(f"claimed {of}", sum(paid.values()), pool.claimed_wei)
        yield Difference(f"refunded {of}", refunded_wei, pool.refunded_wei)
        for party in due:
            theirs = pool.accounts.get(party, ChainAccount(0, 0))
            who = f"party {party} in run {run}"
            yield Difference(f"accrued by {who}", due[party] + paid[party], theirs.accrued_wei)
            yield Difference(f"claimed by {who}", paid[party], theirs.claimed_wei)


def _royalties(
    balances: Mapping[Account, int], royalties: Iterable[ChainRoyalties]
) -> Iterator[Difference]:
    on_chain = {each.run: each for each in royalties}
    paid = {(each.scope, each.party or 0): wei for each, wei in _of(balances, Kind.ROYALTY_PAID)}
    runs = {each.scope for each, _ in _of(balances, Kind.BUYER)}
    for run in sorted(on_chain.keys() | runs):
        theirs = on_chain.get(run, ChainRoyalties(run, 0))
        received_wei = -balances.get(Account(Kind.BUYER, run), 0)
        yield Difference(f"paid for licenses of run {run}", received_wei, theirs.received_wei)
        parties = {party for scope, party in paid if scope == run}
        for party in sorted(theirs.claimed_wei.keys() | parties):
            what = f"royalties claimed by party {party} in run {run}"
            own_wei = paid.get((run, party), 0)
            yield Difference(what, own_wei, theirs.claimed_wei.get(party, 0))


def _of(balances: Mapping[Account, int], *kinds: Kind) -> Iterator[tuple[Account, int]]:
    return ((account, wei) for account, wei in balances.items() if account.kind in kinds)
