"""Local metering: each organization signs a row of its own, and all rows count."""

from __future__ import annotations

from dataclasses import replace

import pytest

from contracts import events
from contracts import messages as m
from contracts.deployment import Contracts
from contracts.errors import MessageError
from contracts.keys import Signer, new_key
from contracts.parties import party_set
from contracts.training import State
from contracts.votes import NO_VOTES, common_part, row_of, votes_of, with_row
from tests.chain.people import INITIAL_ROOT, Alliance, found_alliance

POOL_WEI = 10**21
LOCAL = 3
FOUR = ("hospital-a", "hospital-b", "clinic-c", "clinic-d")


@pytest.fixture
async def alliance(contracts: Contracts, treasury: Signer) -> Alliance:
    return await found_alliance(
        contracts,
        treasury,
        new_key().address,
        organizations=FOUR,
        metering=LOCAL,
        validation_root=bytes(32),
        max_rounds=1,
    )


def opinion(party: int) -> bytes:
    """Everybody else did the same for `party`."""
    return m.pack_shares([(each, 0 if each == party else 3333) for each in range(4)])


async def test_rows_of_all_are_settled_together(alliance: Alliance, treasury: Signer) -> None:
    contracts, training = alliance.contracts, alliance.contracts.training
    run_id = await alliance.create_run()
    await contracts.token.mint(treasury.address, POOL_WEI, signer=treasury)
    await contracts.token.approve(contracts.rewards.address, POOL_WEI, signer=treasury)
    await contracts.rewards.fund(run_id, POOL_WEI, signer=treasury)

    def signed(attestations: dict[int, m.Attestation]) -> dict[int, tuple[m.Attestation, bytes]]:
        return {
            each: (made, m.sign(training.domain, made, alliance.nodes[each]))
            for each, made in attestations.items()
        }

    run = await training.run(run_id)
    base = m.Attestation(run_id, 0, run.prev, 0, bytes(32), INITIAL_ROOT, 0, 0, 0, b"", b"")
    start = {each: replace(base, loss_after=700_000_000) for each in range(4)}
    common, votes = votes_of(signed(start))
    await training.seal_local(common, votes, common, NO_VOTES, signer=alliance.relayer)
    snapshot = await contracts.consortium.latest_snapshot(alliance.id)
    members = m.members_root(snapshot.root, snapshot.active)
    run = await training.run(run_id)
    assert run.prev == m.next_prev(common, members)

    # Three of four seal the last round; the fourth's row comes later, before it is settled.
    merged = m.Attestation(run_id, 1, run.prev, 0, b"\x01" * 32, b"\x02" * 32, 0, 0, 0, b"", b"")
    rows = signed(
        {
            each: replace(
                merged, loss_before=700_000_000, loss_after=400_000_000, shares=opinion(each)
            )
            for each in range(4)
        }
    )
    common, votes = votes_of({each: rows[each] for each in (2, 0, 1)})
    assert votes.signers == (0, 1, 2)
    started, nobody = votes_of(signed(start))[0], NO_VOTES
    await training.seal_local(common, votes, started, nobody, signer=alliance.relayer)
    assert (await training.run(run_id)).state == State.SETTLING
    assert (await contracts.clerk.book(run_id)).heard == party_set((0, 1, 2))
    assert await contracts.clerk.waiting(run_id) == (True, False)
    _, late = votes_of({3: rows[3]})
    receipt = await training.add_rows(common, late, signer=alliance.relayer)
    (counted,) = (each for each in receipt.events if isinstance(each, events.RowCounted))
    assert (counted.party, m.unpack_shares(counted.shares)[0]) == (3, (0, 3333))
    receipt = await training.settle(run_id, signer=alliance.relayer)
    (settled,) = (each for each in receipt.events if isinstance(each, events.Settled))
    assert (settled.gain, settled.best) == (300_000_000, 300_000_000)
    accounts = [await contracts.rewards.account(run_id, each) for each in range(4)]
    assert settled.credited == sum(each.accrued for each in accounts) > 0
    assert len({each.accrued for each in accounts}) == 1


def test_rows_are_taken_apart_and_put_together() -> None:
    own = m.Attestation(
        b"\x01" * 32, 3, b"\x02" * 32, 1, b"\x03" * 32, b"\x04" * 32, 9, 8, -7, b"\0\0\0\1", b""
    )
    assert with_row(common_part(own), row_of(own)) == own
    with pytest.raises(MessageError, match="differ in more"):
        votes_of({0: (own, b""), 1: (replace(own, term=2), b"")})
    with pytest.raises(MessageError, match="no attestation"):
        votes_of({})
