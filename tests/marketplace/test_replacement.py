"""A lost wallet is replaced: voted, waited for, in force; what was earned follows."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import httpx
import pytest

from contracts.deployment import Contracts
from contracts.keys import Signer, new_key
from contracts.messages import Claim, from_json, sign
from marketplace import errors
from marketplace.client import MarketClient
from marketplace.money.envelope import Envelope
from scripts.ports import free_port
from tests.marketplace.processes import Process, run
from tests.marketplace.world import Federation, World, draft, eventually

pytestmark = pytest.mark.slow

DELAY_S = 7 * 86_400  # the bylaws' default
NAMES = ("north", "south", "lost")


@dataclass
class Week:
    """A federation whose third party lost its wallet, before and after the delay is over."""

    federation: Federation
    new: Signer
    ports: tuple[int, int]
    accrued_wei: int = 0

    @property
    def world(self) -> World:
        return self.federation.world

    @property
    def old(self) -> Signer:
        return self.federation.wallets["lost"]

    def serving(self, ahead_s: int) -> Process:
        """The marketplace, as many seconds ahead as its chain is."""
        return Process(
            *("serve", "--folder", str(self.world.folder), "--rpc-url", self.world.rpc_url),
            *("--web-port", str(self.ports[0]), "--agent-port", str(self.ports[1])),
            log=self.world.folder / "serve.log",
            command=(sys.executable, "-m", "tests.marketplace.later", str(ahead_s)),
        )


@pytest.fixture(scope="module")
def week(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Week]:
    folder = tmp_path_factory.mktemp("replacement")
    admin, treasury = new_key(), new_key()
    chain_port, ports = free_port(), (free_port(), free_port())
    run("init", str(folder), "--admin", admin.address)
    url, rpc_url = f"http://127.0.0.1:{ports[0]}", f"http://127.0.0.1:{chain_port}"
    federation = Federation(
        World(folder, url, rpc_url, admin, treasury), {name: new_key() for name in NAMES}
    )
    found = Week(federation, new_key(), ports)
    with Process(
        *("chain", "--folder", str(folder), "--port", str(chain_port)),
        *("--treasury", treasury.address),
        log=folder / "chain.log",
    ) as chain:
        chain.wait_for(rpc_url)
        eventually((folder / "deployment.json").exists, bool, 60)
        with found.serving(0) as market:
            market.wait_for(f"{url}/healthz")
            earn(found)
            replace_wallet(found)
        yield found


def earn(week: Week) -> None:
    federation = week.federation
    federation.agree()
    for name in NAMES:
        federation.enroll(name)
    federation.start()
    federation.fund(100)
    federation.seal(2.0)
    federation.seal(1.0, {0: 5_000, 1: 3_000, 2: 2_000})
    week.accrued_wei = federation.account(2).accrued
    assert week.accrued_wei > 0


def replace_wallet(week: Week) -> None:
    """The others vote; until the delay is over nothing changes for anybody."""
    federation = week.federation
    with federation.owner("north") as north:
        motion = north.governance.propose(
            federation.agreement_id,
            "replace-wallet",
            organization="lost",
            wallet=week.new.address,
            reason="Its safe burned down.",
        )
        north.governance.vote(motion["id"])
    with federation.owner("south") as south:
        south.governance.vote(motion["id"])
        posted = south.governance.post_motion(motion["id"])
        south.wait(posted["operation"]["id"])
        assert south.governance.motion(motion["id"])["state"] == "carried"
    with federation.owner("lost") as old:
        told = eventually(
            lambda: old.governance.history(federation.agreement_id),
            lambda seen: "WalletChanged" in [each["kind"] for each in seen],
        )
        assert any("is to become the wallet of lost" in each["what"] for each in told)
        assert earner(old, federation)["wallet"] == week.old.address
        assert Envelope.parse(old.statement("lost")).is_signed
    with federation.world.client(week.new) as new:
        assert new.agreements() == []
        with pytest.raises(errors.NotFound):
            new.statement("lost")


@pytest.fixture(scope="module")
def later(week: Week) -> Iterator[Week]:
    """A week on: the chain's time, and a marketplace that was started again."""

    async def wait_for_it(contracts: Contracts) -> None:
        await contracts.chain.request("evm_increaseTime", hex(DELAY_S + 60))
        await contracts.chain.request("evm_mine")

    week.world.on_chain(wait_for_it)
    with week.serving(DELAY_S + 60) as market:
        market.wait_for(f"{week.world.market_url}/healthz")
        with week.world.client(week.new) as new:
            eventually(new.agreements, bool)
        yield week


def earner(client: MarketClient, federation: Federation) -> dict[str, Any]:
    rows = client.earnings(federation.run_id)["organizations"]
    return next(each for each in rows if each["organization"] == "lost")


def page(week: Week, signer: Signer, path: str) -> str:
    """What somebody sees who signed in with a wallet."""
    with week.world.client(signer) as client:
        token = client.sign_in()["token"]
    answer = httpx.get(
        week.world.market_url + path, cookies={"swarm_session": token}, trust_env=False
    )
    assert answer.status_code == 200, answer.text
    return answer.text


def test_the_new_wallet_is_shown_to_everybody_and_speaks_for_the_organization(later: Week) -> None:
    federation = later.federation
    with federation.owner("north") as partner:
        shown = partner.agreement(federation.agreement_id)["parties"][2]
        assert (shown["organization"], shown["wallet"]) == ("lost", later.new.address)
        row = earner(partner, federation)
        assert row["wallet"] == later.new.address
        assert row["claimable_wei"] == str(later.accrued_wei)
    seen = page(later, federation.wallets["north"], f"/agreements/{federation.agreement_id}")
    # Of the agreement's text, which all signed, the old wallet stays a part.
    beside = re.sub(r"(?s)<(article|details)\b.*?</\1>", "", seen)
    assert later.new.address in beside
    assert later.old.address not in beside
    assert 'data-do="claim"' in page(later, later.new, f"/runs/{federation.run_id}")
    assert federation.run_id in page(later, later.new, "/earnings")
    # It lets nodes in, and may use the organization's name; the old one may not any more.
    with federation.world.client(later.new) as new:
        assert new.enrollment_token(federation.agreement_id, "lost", "site-2")["token"]
        new.draft(draft_of(federation, later.new))
    taken = pytest.raises(errors.Conflict, match="belongs to another wallet")
    with federation.world.client(federation.world.admin) as admin, taken:
        admin.draft(draft_of(federation, later.old))


def draft_of(federation: Federation, signer: Signer) -> dict[str, Any]:
    parties = {"lost": signer, f"partner-{new_key().address[2:8].lower()}": new_key()}
    return draft(parties, federation.world.treasury.address, metering="equal")


def test_the_old_wallet_signs_in_and_finds_that_it_is_nobody(later: Week) -> None:
    federation = later.federation
    agreement, run_id = federation.agreement_id, federation.run_id
    refused = pytest.raises((errors.NotFound, errors.NotAllowed))
    with federation.world.client(later.old) as old:
        assert old.agreements() == []
        assert old.runs() == []
        assert old.request("GET", "/api/ledger")["items"] == []
        with refused:
            old.agreement(agreement)
        with refused:
            old.earnings(run_id)
        with refused:
            old.statement("lost")
        with refused:
            old.enrollment_token(agreement, "lost", "site-3")
        with refused:
            old.governance.propose(agreement, "suspend")
        with refused:
            old.claim(run_id, "lost")
    assert run_id not in page(later, later.old, "/earnings")
    # Nor does a partner get a claim through that the old wallet signed.
    with federation.world.client(later.new) as new:
        prepared = new.request(
            "POST", "/api/claims/prepare", {"run": run_id, "organization": "lost"}
        )
        domain = federation.world.on_chain(rewards_domain)
        signature = "0x" + sign(domain, from_json(Claim, prepared["claim"]), later.old).hex()
        with pytest.raises(errors.WrongSignature):
            new.request("POST", "/api/claims", {"claim": prepared["claim"], "signature": signature})


async def rewards_domain(contracts: Contracts) -> Any:
    return contracts.domains.rewards


def test_what_was_accrued_is_paid_to_the_new_wallet_and_the_books_say_so(later: Week) -> None:
    federation = later.federation
    with federation.world.client(later.new) as new:
        paid = new.wait(new.claim(federation.run_id, "lost")["id"])
        assert paid["result"]["amount"] == str(later.accrued_wei)
        assert paid["result"]["recipient"] == later.new.address
        entries = eventually(
            lambda: new.ledger(federation.run_id), lambda seen: "claimed" in seen[-1]["what"]
        )
        posted = {each["account"]: each["amount_wei"] for each in entries[-1]["postings"]}
        assert posted == {
            f"claimable:{federation.run_id}:2": str(-later.accrued_wei),
            f"paid:{federation.run_id}:2": str(later.accrued_wei),
        }
        data = new.statement("lost")
    held = federation.world.on_chain(lambda each: each.token.balance_of(later.new.address))
    assert held == later.accrued_wei
    with federation.world.client(federation.world.admin) as admin:
        assert admin.request("GET", "/api/reconciliation")["agrees"]
    statement = Envelope.parse(data).statement
    assert [line.amount_wei for line in statement.lines] == [later.accrued_wei]
    assert [(each.account, each.amount_wei) for each in statement.movements] == [
        (later.new.address, later.accrued_wei)
    ]
    file = federation.world.folder / "lost.json"
    file.write_bytes(data)
    proven = run("verify-statement", str(file), "--rpc", federation.world.rpc_url).stdout
    assert "holds: all as on chain" in proven
