"""Agreement, wallets, snapshots, absence."""

from __future__ import annotations

from contracts import messages as m
from contracts.deployment import Contracts
from contracts.parties import party_set
from tests.chain.machine.checks import Check
from tests.chain.machine.model import World

NOBODY = "0x" + "00" * 20


def of_membership(contracts: Contracts, world: World, poster: str) -> list[Check]:
    who, presence = world.who, contracts.presence

    async def snapshot() -> tuple[int, int]:
        latest = await contracts.consortium.latest_snapshot(world.id)
        return latest.version, latest.active

    async def suspicion(party: int) -> tuple[int, int, bool]:
        case = await presence.suspicion(world.id, party)
        return case.number, case.answer_by, case.open

    checks: list[Check] = [
        ("snapshot", snapshot(), (who.changes, party_set(who.active(world.now)))),
        ("out", contracts.consortium.out(world.id), party_set(who.out)),
        ("motions", contracts.council.nonce(world.id), who.motions),
        ("away", presence.away(world.id), party_set(who.away)),
        ("coins owed", presence.owed(poster), who.owed_coins_wei),
    ]
    for party, case in who.cases.items():
        expected = (case.number, case.answer_by, case.open)
        checks.append((f"suspicion of {party}", suspicion(party), expected))
    return checks


def of_agreement(contracts: Contracts, world: World) -> list[Check]:
    who, consortium, signed = world.who, contracts.consortium, world.signed
    hashed = m.struct_hash(signed)
    parties = tuple(
        m.Party(each.organization, who.wallets.of(world.now, party), each.weight)
        for party, each in enumerate(signed.parties)
    )
    checks: list[Check] = [
        ("agreement", consortium.state(world.id), who.state(world.now)),
        ("version", consortium.version(world.id), signed.version),
        ("what was signed", consortium.agreement_hash(world.id), hashed),
        ("terms", consortium.terms_hash(world.id), m.struct_hash(signed.terms)),
        ("bylaws", consortium.bylaws(world.id), signed.bylaws),
        ("period", consortium.period(world.id), (signed.not_before, signed.not_after)),
        ("notice", consortium.unlock_delay(world.id), who.unlock_delay_s),
        ("parties", consortium.parties(world.id), parties),
    ]
    for offer, signers in world.offers.items():
        checks.append(("signers of an amendment", consortium.signers(offer), party_set(signers)))
    for party, seat in enumerate(who.wallets.seats):
        coming = who.wallets.coming(world.now, party)
        awaited = (coming, seat.since) if coming else (NOBODY, 0)
        nonce = contracts.council.wallet_nonce(world.id, party)
        checks += [
            (f"replacement of {party}", consortium.replacement(world.id, party), awaited),
            (f"wallet nonce of {party}", nonce, seat.nonce),
        ]
    return checks
