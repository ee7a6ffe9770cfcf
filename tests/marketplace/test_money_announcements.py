"""What is announced, and that who wants to be told is told: once, signed, and nobody else."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
import sqlalchemy as sa
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from sqlalchemy.orm import Session

from contracts import messages as m
from contracts.embedded import EmbeddedChain
from contracts.keys import Signer, new_key
from marketplace import errors
from marketplace.access import Caller
from marketplace.app import Market
from marketplace.chain.rebuild import restore_agreements
from marketplace.money import announcements, webhooks
from marketplace.money.addresses import resolve
from marketplace.money.announcements import list_announcements
from marketplace.money.webhooks import PAUSES_S, Webhooks
from marketplace.storage.models.announcements import Announcement, Delivery
from marketplace.web import live
from tests.marketplace.economy import Economy
from tests.marketplace.nodes import private_pem
from tests.marketplace.receiver import Received, Receiver

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(loop_scope="module")
async def economy(market: Market, embedded: EmbeddedChain) -> Economy:
    """Three organizations under an agreement that the marketplace knows, and a run."""
    made = await Economy.of(market.contracts, embedded.deployer, max_rounds=4)
    await made.start()
    await made.seal(0.7)
    await market.indexer.catch_up()
    await market.database.write(restore_agreements)
    return made


class Clock:
    def __init__(self, now_s: int) -> None:
        self.now_s = now_s

    def __call__(self) -> int:
        return self.now_s


def telling(
    market: Market,
    clock: Clock | None = None,
    *,
    private: bool = True,
    tls: ssl.SSLContext | None = None,
) -> Webhooks:
    """The webhooks of a market, with a clock of the test's own."""
    return Webhooks(
        market.database,
        market.contracts.deployment.chain_id,
        webhooks.load_or_create_key(market.settings.folder),
        market.notices,
        clock or Clock(market.clock()),
        may_reach_private=private,
        tls=tls,
    )


def caller(wallet: Signer) -> Caller:
    return Caller(wallet.address)


async def told(market: Market, wallet: Signer, **options: Any) -> list[dict[str, Any]]:
    found = await market.database.read(list_announcements, caller(wallet), **options)
    items: list[dict[str, Any]] = found["items"]
    return items


def is_signed(received: Received, secret: str) -> bool:
    """As a receiver checks it, by the documentation of Standard Webhooks."""
    key = base64.b64decode(secret.removeprefix("whsec_"))
    headers = received.headers
    signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + received.body
    expected = base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
    return headers["webhook-signature"] == f"v1,{expected}"


async def test_withdrawals_low_budgets_and_ends_are_announced_to_the_parties(
    market: Market, economy: Economy
) -> None:
    await economy.seal(0.15, {0: 5000, 1: 5000})  # a twelfth of the pool is left, and three rounds
    await economy.claim(1)
    await market.indexer.catch_up()
    found = await told(market, economy.alliance.wallets[0])
    assert [each["kind"] for each in found] == ["budget-low", "run-ending", "withdrawal"]
    paid = found[2]
    assert paid["party"] == 1
    assert paid["data"]["organization"] == "hospital-b"
    account = await market.contracts.rewards.account(economy.run, 1)
    assert int(paid["data"]["amount_wei"]) == account.claimed > 0
    assert found[1]["data"]["rounds_left"] == 3
    assert await told(market, new_key()) == []


async def test_a_reader_goes_on_where_it_stopped(market: Market, economy: Economy) -> None:
    await economy.seal(0.15, {0: 5000, 1: 5000})
    await market.indexer.catch_up()
    wallet = economy.alliance.wallets[2]
    page = await market.database.read(list_announcements, caller(wallet), limit=1)
    assert len(page["items"]) == 1
    rest = await told(market, wallet, after=page["next"])
    assert [each["kind"] for each in rest] == ["run-ending"]
    assert await told(market, wallet, after=rest[-1]["number"]) == []


async def test_an_organization_that_is_said_to_be_absent_hears_of_it(
    market: Market, economy: Economy
) -> None:
    contracts, alliance = market.contracts, economy.alliance
    suspicion = m.Suspicion(alliance.id, 2, 0, 1, 2**40)
    signature = m.sign(contracts.presence.domain, suspicion, alliance.nodes[0])
    await contracts.presence.suspect(
        suspicion, signature, deposit_wei=10**15, signer=economy.treasury
    )
    await market.indexer.catch_up()
    (last,) = await told(market, alliance.wallets[2])
    assert (last["kind"], last["data"]["organization"]) == ("suspicion", "clinic-c")


async def test_the_end_of_an_agreement_is_announced_when_its_time_has_come(
    market: Market, economy: Economy
) -> None:
    chain_id = market.contracts.deployment.chain_id
    ends_s = economy.alliance.agreement.not_after
    early, late = ends_s - 73 * 3600, ends_s - 71 * 3600
    words = []
    for now_s in (early, late, late + 60):
        await market.database.write(announcements.sweep, chain_id, now_s, market.notices)
        words.append(await market.database.read(live.version, ends_s))
    assert words[0] != words[1] == words[2], "open pages learn of it by themselves"
    (found,) = await told(market, economy.alliance.wallets[0])
    assert (found["kind"], found["data"]["ends_s"], found["time_s"]) == ("run-ending", ends_s, late)


async def test_a_webhook_is_told_what_its_owner_may_see_under_its_own_signature(
    market: Market, economy: Economy
) -> None:
    telling_ = telling(market)
    with Receiver() as receiver, Receiver() as strangers:
        made = await telling_.add(caller(economy.alliance.wallets[0]), receiver.url, [])
        await telling_.add(caller(new_key()), strangers.url, [])
        await economy.seal(0.15, {0: 5000, 1: 5000})
        await market.indexer.catch_up()
        assert await telling_.step() == 2
        assert await telling_.step() == 0
    assert strangers.got == []
    shown = [json.loads(each.body)["kind"] for each in receiver.got]
    assert sorted(shown) == ["budget-low", "run-ending"]
    assert all(is_signed(each, made["secret"]) for each in receiver.got)
    forged = Received(receiver.got[0].headers, receiver.got[0].body + b" ")
    assert not is_signed(forged, made["secret"])


async def test_a_webhook_for_some_kinds_hears_of_no_others(
    market: Market, economy: Economy
) -> None:
    telling_ = telling(market)
    with Receiver() as receiver:
        await telling_.add(caller(economy.alliance.wallets[0]), receiver.url, ["withdrawal"])
        await economy.seal(0.15, {0: 5000, 1: 5000})
        await economy.claim(0)
        await market.indexer.catch_up()
        await telling_.step()
    assert [json.loads(each.body)["kind"] for each in receiver.got] == ["withdrawal"]


async def test_what_does_not_arrive_is_repeated_later_under_the_same_id(
    market: Market, economy: Economy
) -> None:
    clock = Clock(market.clock())
    telling_ = telling(market, clock)
    with Receiver(answers=[500, 302]) as receiver:
        await telling_.add(caller(economy.alliance.wallets[0]), receiver.url, ["run-ending"])
        await economy.seal(0.6, {0: 5000, 1: 5000})
        await market.indexer.catch_up()
        assert await telling_.step() == 1
        assert await telling_.step() == 0
        clock.now_s += PAUSES_S[0]
        assert await telling_.step() == 1
        clock.now_s += PAUSES_S[1]
        assert await telling_.step() == 1
        clock.now_s += 10**6
        assert await telling_.step() == 0
    assert len({each.headers["webhook-id"] for each in receiver.got}) == 1
    assert len({each.headers["webhook-timestamp"] for each in receiver.got}) == 3


async def test_killed_after_it_sent_it_sends_the_same_id_again_and_loses_nothing(
    market: Market, economy: Economy
) -> None:
    clock = Clock(market.clock())
    dying = telling(market, clock)

    with Receiver() as receiver:
        await dying.add(caller(economy.alliance.wallets[0]), receiver.url, ["run-ending"])
        await economy.seal(0.6, {0: 5000, 1: 5000})
        await market.indexer.catch_up()
        taken = await market.database.write(webhooks._take, clock())
        (due,) = taken
        await dying._send(due.url, due.id, due.webhook_id, due.body)  # and then it is dead
        another = telling(market, clock)
        assert await another.step() == 0  # it may still be at it
        clock.now_s += 61
        assert await another.step() == 1
        clock.now_s += 61
        assert await another.step() == 0
    assert len(receiver.got) == 2
    assert len({each.headers["webhook-id"] for each in receiver.got}) == 1


async def test_in_the_end_it_is_given_up_and_a_receiver_that_is_gone_is_left_alone(
    market: Market, economy: Economy
) -> None:
    clock = Clock(market.clock())
    telling_ = telling(market, clock)
    owner = caller(economy.alliance.wallets[0])
    with Receiver(answers=[500] * 50) as failing, Receiver(answers=[410]) as gone:
        await telling_.add(owner, failing.url, ["run-ending"])
        await telling_.add(owner, gone.url, ["run-ending"])
        await economy.seal(0.6, {0: 5000, 1: 5000})
        await market.indexer.catch_up()
        for _ in range(len(PAUSES_S) + 3):
            await telling_.step()
            clock.now_s += max(PAUSES_S)
    assert (len(failing.got), len(gone.got)) == (len(PAUSES_S) + 1, 1)
    shown = await market.database.read(webhooks.list_webhooks, owner)
    assert sorted((each["stopped"], each["deliveries"]["failed"]) for each in shown) == [
        (False, 1),
        (True, 1),
    ]


async def test_a_reorganization_withdraws_what_was_announced_and_brings_it_back(
    market: Market, economy: Economy
) -> None:
    rpc = market.contracts.chain.request
    telling_ = telling(market)
    wallet = economy.alliance.wallets[0]
    snapshot = await rpc("evm_snapshot")
    with Receiver() as receiver:
        await telling_.add(caller(wallet), receiver.url, [])
        await economy.seal(0.6, {0: 5000, 1: 5000})
        await market.indexer.catch_up()
        await rpc("evm_revert", snapshot)
        await rpc("anvil_mine", hex(4))
        await market.indexer.catch_up()
        (shown,) = await told(market, wallet)
        assert shown["withdrawn"]
        assert await telling_.step() == 0  # not told while it is not so
        await economy.seal(0.6, {0: 5000, 1: 5000})
        await market.indexer.catch_up()
        (again,) = await told(market, wallet)
        assert (again["withdrawn"], again["number"]) == (False, shown["number"])
        assert await telling_.step() == 1
    assert len(receiver.got) == 1

    def rows(session: Session) -> tuple[int, int]:
        mine = Announcement.run_id == economy.run_id
        of_mine = sa.select(Announcement.number).where(mine)
        counts = (
            sa.select(sa.func.count(Announcement.number)).where(mine),
            sa.select(sa.func.count(Delivery.id)).where(Delivery.announcement.in_(of_mine)),
        )
        return session.scalar(counts[0]) or 0, session.scalar(counts[1]) or 0

    assert await market.database.read(rows) == (1, 1)


async def test_a_receiver_proves_by_its_certificate_that_it_is_the_one(
    market: Market, economy: Economy, tmp_path: Path
) -> None:
    owner = caller(economy.alliance.wallets[0])
    certificate = self_signed(tmp_path / "localhost.pem", "localhost")
    other = self_signed(tmp_path / "other.pem", "other.example")
    trusting = ssl.create_default_context(cafile=certificate)
    trusting.load_verify_locations(cafile=other)
    with Receiver(certificate=certificate) as genuine, Receiver(certificate=other) as impostor:
        telling_ = telling(market, tls=trusting)
        made = [await telling_.add(owner, each.url, []) for each in (genuine, impostor)]
        went = [await telling_.test(owner, each["id"]) for each in made]
        unknown = await telling(market).test(owner, made[0]["id"])
    assert [each["arrived"] for each in went] == [True, False]
    assert genuine.got[0].headers["host"] == genuine.url.split("/")[2]
    assert not unknown["arrived"]
    assert "certificate" in unknown["error"].lower()


def self_signed(file: Path, name: str) -> Path:
    """A certificate for a name, and its key, in one file."""
    key = ec.generate_private_key(ec.SECP256R1())
    named = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder(named, named, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    file.write_text(private_pem(key) + made.public_bytes(pem).decode())
    return file


@pytest.mark.parametrize(
    "url",
    [
        "https://127.0.0.1/",
        "https://localhost:8443/x",
        "https://10.1.2.3/",
        "https://169.254.169.254/latest/meta-data",
        "https://[::1]/",
        "https://[::ffff:127.0.0.1]/",
        "https://[64:ff9b::7f00:1]/",
        "https://2130706433/",
        "https://0.0.0.0/",
        "https://[fd00::1]/",
        "http://1.1.1.1/",
        "https://user:secret@1.1.1.1/",
        "ftp://1.1.1.1/",
        "https:///nowhere",
        "https://1.1.1.1:99999/",
        "no url",
    ],
)
async def test_nothing_is_sent_inside_nor_in_the_clear(market: Market, url: str) -> None:
    with pytest.raises(errors.InvalidInput):
        await telling(market, private=False).add(caller(new_key()), url, [])


async def test_a_public_address_is_connected_to_as_it_was_found() -> None:
    target = await resolve("https://1.1.1.1:8443/a?b=c#d", may_reach_private=False)
    assert (target.url, target.host_header) == ("https://1.1.1.1:8443/a?b=c", "1.1.1.1:8443")


async def test_a_name_that_has_come_to_mean_an_inside_address_gets_nothing(
    market: Market, economy: Economy
) -> None:
    with Receiver() as receiver:
        made = await telling(market).add(caller(economy.alliance.wallets[0]), receiver.url, [])
        strict = telling(market, private=False)
        went = await strict.test(caller(economy.alliance.wallets[0]), made["id"])
    assert not went["arrived"]
    assert receiver.got == []


async def test_webhooks_are_their_owners_own(market: Market, economy: Economy) -> None:
    telling_ = telling(market)
    owner, rival = (caller(each) for each in economy.alliance.wallets[:2])
    with Receiver() as receiver:
        made = await telling_.add(owner, receiver.url, [])
        went = await telling_.test(owner, made["id"])
        assert (went["arrived"], json.loads(receiver.got[0].body)["kind"]) == (True, "test")
    with pytest.raises(errors.NotFound):
        await telling_.test(rival, made["id"])
    with pytest.raises(errors.NotFound):
        await market.database.write(webhooks.remove, rival, made["id"])
    with pytest.raises(errors.SignInRequired):
        await telling_.add(Caller(None), receiver.url, [])
    with pytest.raises(errors.InvalidInput, match="no announcements of kind weather"):
        await telling_.add(owner, receiver.url, ["weather"])
    await market.database.write(webhooks.remove, owner, made["id"])
    assert await market.database.read(webhooks.list_webhooks, owner) == []
