"""The book after any history of events: conservation, replay, interleaving, reorganizations."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from metering.ledger import Account, Book, Fact, Kind, padded, reconcile, record
from tests.metering.histories import chains
from tests.metering.simulated_chain import PARTIES, SimulatedChain


def book_of(facts: list[Fact]) -> Book:
    book = Book()
    for fact in facts:
        assert record(book, fact) is not None
    return book


def sound(book: Book) -> bool:
    balances = book.balances()
    zero_sum = sum(balances.values()) == 0
    return zero_sum and all(wei >= 0 for account, wei in balances.items() if account.held)


@given(chains())
def test_nothing_is_made_nothing_is_lost_and_the_chain_agrees(chain: SimulatedChain) -> None:
    book = Book()
    for fact in chain.facts:
        record(book, fact)
        assert sound(book)
    found = reconcile(
        book.balances(),
        chain.pools(),
        royalties=chain.royalties(),
        stakes=chain.stakes,
        tokens_wei=chain.tokens_wei(),
    )
    assert [str(each) for each in found] == []
    for run in chain.runs:
        for party in PARTIES:
            due_wei = run.entitled_wei(party) - run.royalties_claimed.get(party, 0)
            assert book.balance_wei(Account(Kind.ROYALTY, run.run, party)) == due_wei
    for account, wei in chain.owed.items():
        assert book.balance_wei(Account(Kind.PENALTY, padded(account))) == wei


@given(chains())
def test_replay_gives_the_same_book_bit_for_bit(chain: SimulatedChain) -> None:
    book = book_of(chain.facts)
    assert book_of(chain.facts).digest() == book.digest()
    assert Book(book).digest() == book.digest()
    for fact in reversed(chain.facts):
        assert record(book, fact) is None  # heard again, in whatever order: nothing happens


@given(chains(runs=3), st.randoms(use_true_random=False))
def test_events_of_different_runs_may_interleave_in_any_way(chain: SimulatedChain, random) -> None:
    queues: dict[str, list[Fact]] = {}
    for fact in chain.facts:
        queues.setdefault(getattr(fact, "run", "stakes and penalties"), []).append(fact)
    shuffled = []
    while queues:
        name = random.choice(sorted(queues))
        shuffled.append(queues[name].pop(0))
        if not queues[name]:
            del queues[name]
    assert book_of(shuffled).balances() == book_of(chain.facts).balances()


@settings(max_examples=50)
@given(chains(), st.data())
def test_a_reorganization_leaves_what_a_book_without_it_would_say(
    chain: SimulatedChain, data: st.DataObject
) -> None:
    """Some blocks go, come back, go for good, and others take their place."""
    kept = data.draw(st.integers(0, len(chain.facts)))
    after_block = chain.facts[kept - 1].place.block if kept else 0
    book = book_of(chain.facts)
    before = book_of(chain.facts[:kept]).balances()
    book.take_back(chain.facts[0].place.chain_id, after_block)
    assert book.balances() == before
    for fact in chain.facts[kept:]:
        assert record(book, fact) is not None
    assert book.balances() == book_of(chain.facts).balances()
    book.take_back(chain.facts[0].place.chain_id, after_block)
    assert book.balances() == before
    assert sound(book)
    assert Book(book).digest() == book.digest()


@given(chains())
def test_all_reversals_together_leave_nothing(chain: SimulatedChain) -> None:
    book = book_of(chain.facts)
    for entry in list(book):
        book.reverse(entry.place)
        assert sum(book.balances().values()) == 0
    assert book.balances() == {}
