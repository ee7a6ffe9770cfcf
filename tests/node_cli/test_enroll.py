"""From a token to a node that can run, through every interruption."""

from __future__ import annotations

import base64
import json
import os
import stat
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from contracts.deployment import Deployment
from contracts.keys import load_key
from node_agent import lease
from node_agent.config import load
from node_agent.enroll import Enrolled, enroll
from node_agent.enrollment_token import decode_token
from node_agent.errors import AgentStateError, ConfigError, IdentityError, MarketplaceError
from node_agent.identity.builtin import BuiltinSource, certificate_request, read_stored, store
from node_agent.identity.svid import Svid, read_bundle
from node_agent.marketplace import MarketplaceClient
from tests.identity.authority import key_pem, new_tls_key
from tests.node_cli.market import Market

pytestmark = pytest.mark.asyncio

URL = "https://clinic-a.example:7443"
NAME = "spiffe://swarm.example/org/clinic-a/node/site-1"


@pytest_asyncio.fixture
async def market(tmp_path: Path) -> AsyncIterator[Market]:
    folder = tmp_path / "market"
    folder.mkdir()
    async with Market(folder) as market:
        yield market


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "node"


def names_in(folder: Path) -> list[str]:
    return [each.name for each in folder.iterdir()]


def mode_of(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


async def first(market: Market, folder: Path) -> Enrolled:
    return await enroll(folder, market.token, URL)


async def test_a_token_becomes_everything_that_the_agent_needs(
    market: Market, folder: Path
) -> None:
    done = await first(market, folder)
    assert (done.spiffe_id, done.enrollment, done.state) == (NAME, "00ff", "awaiting-owner")
    settings = load(folder)
    assert settings.spiffe_id == NAME
    assert settings.url == URL
    assert settings.marketplace_url == market.url
    assert load_key(settings.node_key).address == done.key
    assert market.signed[0].key == done.key
    assert Deployment.load(settings.deployment).chain_id == 31337
    assert lease.read(settings.lease, settings.lease_key).node == NAME
    assert read_stored(folder).spiffe_id == NAME


async def test_secrets_are_for_the_owners_eyes_only(market: Market, folder: Path) -> None:
    os.umask(0)
    await first(market, folder)
    os.umask(0o022)
    assert mode_of(folder) == 0o700
    for name in ("node.key", "svid.pem", "enrollment.json", "lease"):
        assert mode_of(folder / name) == 0o600, name


@pytest.mark.parametrize("where", ["/enroll", "/key-signature"])
async def test_an_interrupted_enrollment_goes_on_where_it_was(
    market: Market, folder: Path, where: str
) -> None:
    market.broken.append(where)
    with pytest.raises(MarketplaceError):
        await first(market, folder)
    assert not (folder / "agent.toml").exists()
    done = await enroll(folder, None, None)
    assert done.spiffe_id == NAME
    assert {each.key for each in market.signed} == {done.key}


async def test_a_crash_between_two_files_is_repaired_by_running_again(
    market: Market, folder: Path
) -> None:
    await first(market, folder)
    for name in ("svid.pem", "lease", "agent.toml"):
        (folder / name).unlink()
    await enroll(folder, market.token, URL)
    assert load(folder).spiffe_id == NAME
    assert read_stored(folder).spiffe_id == NAME


async def test_running_again_keeps_the_operators_settings_and_the_renewed_svid(
    market: Market, folder: Path
) -> None:
    await first(market, folder)
    config = folder / "agent.toml"
    config.write_text(config.read_text().replace('run = ""', 'run = "breast-cancer"'))
    key = new_tls_key()
    renewed = market.authority.issue_svid(
        certificate_request(key).decode(), NAME, int(time.time()), 7200
    )
    store(folder, key_pem(key), renewed.pem.encode(), market.authority.bundle_pem.encode())
    await enroll(folder, None, None)
    assert load(folder).run == "breast-cancer"
    assert f"{read_stored(folder).serial:x}" == renewed.serial


async def test_an_expired_svid_is_replaced_by_running_again(market: Market, folder: Path) -> None:
    market.svid_lifetime_s = 1
    await first(market, folder)
    expired = read_stored(folder)
    market.svid_lifetime_s = 3600
    while time.time() < expired.not_after_s:
        time.sleep(0.05)  # noqa: ASYNC251 - certificates count in real seconds
    await enroll(folder, None, None)
    assert read_stored(folder).not_after_s > expired.not_after_s + 3000


async def test_a_folder_with_a_node_in_it_takes_no_other_token(
    market: Market, folder: Path
) -> None:
    await first(market, folder)
    market.secret += "x"
    with pytest.raises(AgentStateError, match="enrolled already") as caught:
        await enroll(folder, market.token, URL)
    assert "--folder" in caught.value.hint


async def test_a_used_token_takes_no_other_url(market: Market, folder: Path) -> None:
    await first(market, folder)
    with pytest.raises(ConfigError, match="was begun with the URL"):
        await enroll(folder, market.token, "https://elsewhere.example:7443")


async def test_a_stolen_token_is_of_no_use_to_a_second_node(
    market: Market, folder: Path, tmp_path: Path
) -> None:
    await first(market, folder)
    with pytest.raises(MarketplaceError, match="used already") as caught:
        await enroll(tmp_path / "thief", market.token, URL)
    assert caught.value.status == 403
    assert caught.value.hint == "ask for a new one"


async def test_a_marketplace_with_another_ca_is_not_spoken_to(
    market: Market, folder: Path, tmp_path: Path
) -> None:
    (tmp_path / "other").mkdir()
    async with Market(tmp_path / "other") as other:
        impostor_url, other.url = other.url, market.url
        stolen = json.loads(base64.urlsafe_b64decode(market.token + "=="))
        stolen["url"] = impostor_url
        token = base64.urlsafe_b64encode(json.dumps(stolen).encode()).decode().rstrip("=")
        with pytest.raises(MarketplaceError, match="not the marketplace") as caught:
            await enroll(folder, token, URL)
        assert "in between" in caught.value.hint
        assert other.used is None


async def test_a_node_of_the_same_ca_cannot_pass_for_the_marketplace(
    market: Market, folder: Path
) -> None:
    await first(market, folder)
    svid = read_stored(folder)
    # The listener shows a node's SVID, which the pinned CA did issue: no host name is in it.
    assert market._runner is not None
    await market._runner.cleanup()
    server_pem = folder / "as-server.pem"
    server_pem.write_bytes(svid.key_pem + svid.chain_pem)
    context = market._context()
    context.load_cert_chain(server_pem)
    market._context = lambda: context  # type: ignore[method-assign] # the attack
    await market.__aenter__()
    client = MarketplaceClient(market.url, market.authority.bundle_pem.encode())
    with pytest.raises(MarketplaceError, match="cannot be reached"):
        await client.lease()
    await client.close()


@pytest.mark.parametrize(
    ("field", "value", "what"),
    [
        ("key", "0x70997970C51812dc3A010C7d01b50e0d17dc79C8", "key"),
        ("url", "https://evil.example:1", "URL"),
        ("may_lead", False, "right to lead"),
        ("agreement", "0x" + "11" * 32, "agreement"),
        ("node", "site-2", "SPIFFE ID"),
        ("party", 1, "SPIFFE ID"),
    ],
)
async def test_an_enrollment_that_says_something_else_is_not_signed(
    market: Market, folder: Path, field: str, value: Any, what: str
) -> None:
    market.lie = lambda message: message | {field: value}
    with pytest.raises(MarketplaceError, match=f"names another {what}"):
        await first(market, folder)
    assert not market.signed


@pytest.mark.parametrize(
    "token",
    [
        "",
        "!!",
        "e30",
        base64.urlsafe_b64encode(b'{"v":1,"url":"http://x","ca":"00","secret":"s"}').decode(),
        base64.urlsafe_b64encode(
            json.dumps({"v": 1, "url": "http://x", "ca": "0" * 64, "secret": "s"}).encode()
        ).decode(),
    ],
)
async def test_what_is_no_token_is_refused_before_anything_is_kept(
    folder: Path, token: str
) -> None:
    with pytest.raises(ConfigError, match="not an enrollment token"):
        decode_token(token)
    with pytest.raises(ConfigError):
        await enroll(folder, token, URL)
    assert names_in(folder) == []


async def test_a_token_of_a_later_version_asks_for_an_update() -> None:
    token = base64.urlsafe_b64encode(
        json.dumps({"v": 2, "url": "https://x", "ca": "0" * 64, "secret": "s"}).encode()
    ).decode()
    with pytest.raises(ConfigError, match="version 2"):
        decode_token(token)


async def test_the_enrolled_node_renews_its_svid_and_lease_and_reports(
    market: Market, folder: Path
) -> None:
    await first(market, folder)
    source: BuiltinSource
    client = MarketplaceClient(
        market.url, (folder / "bundle.pem").read_bytes(), lambda: source.current()
    )
    source = BuiltinSource(folder, client.renew, spiffe_id=NAME)
    async with source:
        before = source.current()
        await source._rotate()
        assert source.current().leaf.spki_hash != before.leaf.spki_hash
        assert lease.verify(await client.lease(), market.lease_signer.public_key).node == NAME
        await client.report({"round": 3})
    await client.close()
    assert market.heard == [{"round": 3}]


async def test_a_certificate_for_another_key_is_not_taken(market: Market, folder: Path) -> None:
    await first(market, folder)
    svid = read_stored(folder)
    bundle = read_bundle(market.authority.bundle_pem.encode())
    other = market.authority.issue_svid(
        certificate_request(new_tls_key()).decode(), NAME, int(time.time()), 3600
    )
    with pytest.raises(IdentityError, match="not that of the certificate"):
        Svid.from_pem(other.pem.encode(), svid.key_pem, bundle)
