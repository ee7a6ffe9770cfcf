"""Tokens of programs, roles, limits, pieces of lists, headers: what surrounds every request."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from starlette.testclient import TestClient

from contracts.keys import Signer, new_key
from marketplace.client import MarketClient
from marketplace.errors import NotAllowed, NotFound, SignInRequired
from marketplace.web.limits import LimitRates
from tests.marketplace.processes import run, wallet
from tests.marketplace.world import Federation, World


@pytest.fixture(scope="module")
def agreed(world: World) -> Federation:
    made = Federation(world)
    made.agree()
    made.enroll("clinic-a")
    return made


@pytest.fixture
def owner(agreed: Federation) -> Iterator[MarketClient]:
    with agreed.owner("clinic-a") as client:
        yield client


def program(world: World, token: str) -> MarketClient:
    return MarketClient(world.market_url, token=token)


def test_a_token_reads_what_its_wallet_sees_and_changes_nothing(
    world: World, agreed: Federation, owner: MarketClient
) -> None:
    made = owner.new_token("nightly", ["read"], 30)
    with program(world, made["token"]) as reader:
        assert reader.agreement(agreed.agreement_id)["id"] == agreed.agreement_id
        with pytest.raises(NotAllowed, match="scope nodes"):
            reader.enrollment_token(agreed.agreement_id, "clinic-a", "site-8")
        with pytest.raises(SignInRequired, match="tokens cannot do this"):
            reader.many("/api/tokens")
        with pytest.raises(NotAllowed, match="tokens cannot"):
            reader.new_token("another", ["admin"], 1)


def test_a_token_changes_what_its_scope_names(
    world: World, agreed: Federation, owner: MarketClient
) -> None:
    made = owner.new_token("provisioning", ["nodes"], 30)
    with program(world, made["token"]) as provisioning:
        made = provisioning.enrollment_token(agreed.agreement_id, "clinic-a", "site-8")
        assert made["spiffe_id"].endswith("/site-8")
        with pytest.raises(NotAllowed, match="scope read"):
            provisioning.agreement(agreed.agreement_id)


def test_a_revoked_token_is_over_at_once(world: World, owner: MarketClient) -> None:
    made = owner.new_token("nightly", ["read"], 30)
    with program(world, made["token"]) as reader:
        reader.agreements()
        owner.revoke_token(made["id"])
        with pytest.raises(SignInRequired, match="revoked"):
            reader.agreements()
    shown = next(each for each in owner.many("/api/tokens") if each["id"] == made["id"])
    assert shown["revoked_s"]
    assert "token" not in shown
    with owner.__class__(world.market_url, new_key()) as other, pytest.raises(NotFound):
        other.revoke_token(made["id"])


def test_an_admins_token_is_no_admin_unless_it_says_so(world: World) -> None:
    with world.client(world.admin) as admin:
        plain = admin.new_token("plain", ["read"], 1)["token"]
        full = admin.new_token("full", ["admin"], 1)["token"]
    with program(world, plain) as reader, pytest.raises(NotAllowed):
        reader.trail()
    with program(world, full) as reader:
        entries = reader.trail()
    assert any(each["what"] == "identity.programs.create" for each in entries)
    assert all(plain not in json.dumps(each) for each in entries)


def test_who_is_appointed_acts_until_he_is_dismissed(
    world: World, agreed: Federation, owner: MarketClient
) -> None:
    operator: Signer = new_key()
    owner.appoint(operator.address, "operator")
    with world.client(operator) as running:
        assert running.enrollment_token(agreed.agreement_id, "clinic-a", "site-7")["token"]
        with pytest.raises(NotAllowed):
            running.enrollment_token(agreed.agreement_id, "clinic-b", "site-7")
        owner.dismiss(operator.address)
        with pytest.raises(NotFound):
            running.agreement(agreed.agreement_id)


def test_a_list_comes_in_pieces_that_name_the_next_one(
    world: World, agreed: Federation, owner: MarketClient
) -> None:
    for n in range(5):
        owner.new_token(f"piece {n}", ["read"], 1)
    whole = [each["id"] for each in owner.many("/api/tokens")]
    assert [each["id"] for each in owner.many("/api/tokens?limit=2")] == whole
    headers = {"Authorization": f"Bearer {owner.sign_in()['token']}"}
    with httpx.Client(base_url=world.market_url, headers=headers, trust_env=False) as http:
        first = http.get("/api/tokens", params={"limit": 2})
        assert len(first.json()) == 2
        assert 'rel="next"' in first.headers["link"]
        for wrong in ("AAAA", "x"):
            assert http.get("/api/tokens", params={"cursor": wrong}).status_code == 422


def test_a_seat_leaves_and_enters_as_a_file(
    world: World, agreed: Federation, tmp_path: Path
) -> None:
    node = agreed.nodes["clinic-a"]
    file, keys = (
        tmp_path / "site-1.lease",
        wallet(tmp_path / "a.json", agreed.wallets["clinic-a"], "x"),
    )
    common = ("--wallet", str(keys), "--market", world.market_url)
    run(
        *("lease", "export", node.answer["spiffe_id"], "--file", str(file), "--days", "7"),
        *common,
        password="x",
    )
    from node_agent import lease

    found = lease.verify(file.read_text(), node.answer["lease_public_key"])
    assert found.node == node.answer["spiffe_id"]
    assert found.expires_s - found.issued_s == 7 * 86_400
    shown = run("lease", "list", *common, password="x")
    assert found.id in shown.stdout
    seats = json.loads(run("lease", "seats", "--json", *common, password="x").stdout)
    [mine] = [each for each in seats if each["feature"] == "training"]
    assert (mine["organization"], mine["seats"]) == ("clinic-a", 64)
    assert 1 <= mine["taken"] < 64
    assert node.post("/agents/v1/lease/return", {"lease": found.id}).status_code == 204
    run("lease", "end", found.id, *common, password="x", expected=8)  # it is live no more


def test_the_last_seat_is_the_last(world: World, agreed: Federation) -> None:
    node = agreed.nodes["clinic-a"]
    with world.client(world.admin) as admin:
        admin.set_seats("clinic-a", "scoring", 0, None)
        refused = node.post("/agents/v1/lease", {"features": ["scoring"]})
        assert refused.status_code == 409
        assert "no seats for scoring" in refused.json()["detail"]
        admin.set_seats("clinic-a", "scoring", 1, 30)
        assert node.post("/agents/v1/lease", {"features": ["scoring"]}).status_code == 200


def test_too_much_is_refused_with_a_time_to_wait() -> None:
    async def fine(_: object) -> PlainTextResponse:
        return PlainTextResponse("fine")

    routes = [Route("/api/x", fine), Route("/api/session", fine, methods=["POST"])]
    app = LimitRates(Starlette(routes=routes), per_minute=3, sign_ins_per_minute=2)
    client = TestClient(app)
    one, other = ({"Authorization": f"Bearer {name}"} for name in ("one", "other"))
    assert [client.get("/api/x", headers=one).status_code for _ in range(4)] == [200] * 3 + [429]
    assert client.get("/api/x", headers=other).status_code == 200
    refused = client.get("/api/x", headers=one)
    assert 1 <= int(refused.headers["retry-after"]) <= 60
    assert refused.headers["content-type"] == "application/problem+json"
    assert refused.json()["hint"]
    assert [client.post("/api/session").status_code for _ in range(3)] == [200, 200, 429]


@pytest.mark.parametrize("path", ["/", "/sign-in", "/nowhere", "/api/openapi.json", "/api/runs"])
def test_every_answer_tells_browsers_to_be_strict(world: World, path: str) -> None:
    answer = httpx.get(world.market_url + path, headers={"accept": "text/html"}, trust_env=False)
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert "frame-ancestors 'none'" in policy
    for name in ("x-content-type-options", "x-frame-options", "permissions-policy"):
        assert answer.headers[name]
