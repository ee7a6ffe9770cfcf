"""Who may do what: every route of both listeners, every role, one's own objects and others'.

The table is compared with the applications' routes: a route that is not listed fails the test, and
so does a line without a route. Refused means 401, 403 or 404; what is not one's business looks as
if it was not there.
"""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any, get_args

import httpx
import pytest
from fastapi import FastAPI

from contracts.keys import Signer, new_key
from marketplace.app import Market
from marketplace.identity import members
from marketplace.identity.programs import SCOPES
from marketplace.identity.secrets import hash_secret
from marketplace.serving import agent_app, web_app
from marketplace.settings import load
from marketplace.storage.models import SignIn
from marketplace.web.routes.programs import Scope
from tests.marketplace.permissions import (
    AGENTS,
    BEFORE,
    EVERYBODY,
    HEX,
    MATRIX,
    ROLES,
    SIGNED,
)
from tests.marketplace.test_negotiation import ANSWERS
from tests.marketplace.world import Federation, World


@dataclass
class Stage:
    """An application with people in every role, and two sets of objects."""

    loop: asyncio.Runner
    app: FastAPI
    agents: FastAPI
    tokens: dict[str, str]
    own: dict[str, Any]
    foreign: dict[str, Any]

    def ask(self, role: str, line: str, of: str) -> httpx.Response:
        method, path = line.split(" ", 1)
        objects = self.own if of == "own" else self.foreign
        row = MATRIX[line]
        place = fill(path + row.query, objects)
        return self.loop.run(self._ask(role, method, place, fill(row.body, objects)))

    async def _ask(self, role: str, method: str, path: str, body: Any) -> httpx.Response:
        headers = {"Authorization": f"Bearer {self.tokens[role]}"} if role != "v" else {}
        transport = httpx.ASGITransport(self.app, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://market") as client:
            if isinstance(body, dict) and not path.startswith(("/api/", "/agents/")):
                return await client.request(method, path, data=body, headers=headers)
            return await client.request(method, path, json=body, headers=headers)


def fill(value: Any, objects: dict[str, Any]) -> Any:
    """A path or a body with the ids of objects in it."""
    if isinstance(value, dict):
        return {name: fill(each, objects) for name, each in value.items()}
    if not isinstance(value, str):
        return value
    if value[:1] == "{" and value[1:-1] in objects and value[-1:] == "}":
        return objects[value[1:-1]]
    for name, each in objects.items():
        value = value.replace("{" + name + "}", str(each))
    return value


@pytest.fixture(scope="module")
def stage(world: World) -> Iterator[Stage]:
    own = Federation(world)
    owner = own.wallets["clinic-a"]
    foreign = Federation(world, {f"other-{letter}": new_key() for letter in "abc"})
    for federation in (own, foreign):
        federation.agree()
        federation.enroll(next(iter(federation.wallets)))
        federation.start()
    people = {role: new_key() for role in ROLES} | {"o": owner, "a": world.admin}
    loop = asyncio.Runner()
    market = loop.run(opened(world, people["g"]))
    for role, signer in people.items():
        market.database.write_now(
            lambda session, role=role, signer=signer: session.merge(
                SignIn(
                    token_hash=hash_secret(f"of {role}"),
                    address=signer.address,
                    created_s=0,
                    expires_s=2**40,
                )
            )
        )
    for role, name in (("p", members.OPERATOR), ("u", members.AUDITOR)):
        market.database.write_now(
            members.appoint, owner.address, people[role].address, name, int(time.time())
        )
    app = web_app(market)
    app.state.stopping = lambda: True  # streams end at once
    yield Stage(
        loop,
        app,
        agent_app(market),
        {role: f"of {role}" for role in people},
        objects_of(own),
        objects_of(foreign),
    )
    loop.run(market.close())
    loop.close()


async def opened(world: World, auditor: Signer) -> Market:
    settings = load(
        world.folder,
        rpc_url=world.rpc_url,
        auditor_wallets=[auditor.address],
        requests_per_minute=100_000,
        sign_ins_per_minute=100_000,
    )
    return await Market.open(settings)


def objects_of(federation: Federation) -> dict[str, Any]:
    name = next(iter(federation.wallets))
    run_id = federation.run_id
    federation.start("again")
    with federation.owner(name) as owner:
        shown = owner.agreement(federation.agreement_id)
        [enrollment] = owner.enrollments(federation.agreement_id)
        lease = next(
            each
            for each in owner.many("/api/leases")
            if each["spiffe_id"] == enrollment["spiffe_id"]
        )
    request = {
        "agreement": federation.agreement_id,
        "party": 0,
        "name": "third",
        "salt": "0x" + "00" * 32,
        "generation": 1,
        "continues": "0x" + "00" * 32,
        "deadline": 2**40,
    }
    claim = {
        "run_ids": [run_id],
        "party": 0,
        "recipient": shown["parties"][0]["wallet"],
        "nonce": 0,
        "deadline": 2**40,
    }
    return negotiated(federation, name) | {
        "agreement_id": federation.agreement_id,
        "organization": name,
        "run_id": run_id,
        "second_run_id": federation.run_id,
        "round_number": 1,
        "operation_id": shown["operation"]["id"],
        "enrollment_id": enrollment["id"],
        "spiffe_id": enrollment["spiffe_id"],
        "lease_id": lease["id"],
        "token_id": "0" * 16,
        "webhook_id": "0" * 16,
        "owner": federation.wallets[name].address,
        "leaving": {"agreement": federation.agreement_id, "party": 0, "deadline": 2**40},
        "wallet": "0x" + "11" * 20,
        "draft": {**shown["fields"], "title": "As before"},
        "new_run": {
            "request": request,
            "terms": shown["agreement"]["terms"],
            "signature": HEX,
        },
        "new_claim": {"claim": claim, "signature": HEX},
    }


def negotiated(federation: Federation, name: str) -> dict[str, Any]:
    """What an owner began: a draft, another one with a link to it, an amendment, a motion."""
    guest = f"guest-of-{name}"
    wallets = [(each, signer.address) for each, signer in federation.wallets.items()]
    proposal = {
        "template": "healthcare",
        "answers": ANSWERS | {"sponsor": federation.world.treasury.address},
        "parties": [
            {"organization": each, "wallet": wallet} for each, wallet in (*wallets, (guest, ""))
        ],
    }
    with federation.owner(name) as owner:
        draft = owner.drafts.start(proposal)
        invitation = owner.drafts.invite(draft["id"], guest)
        # A link to a draft that is over: whoever may take the seat is told so, and nobody sits.
        over = owner.drafts.start(proposal)
        link = owner.drafts.invite(over["id"], guest)
        owner.drafts.withdraw(over["id"])
        amendment = owner.drafts.start(None, amends=federation.agreement_id)
        offered = owner.drafts.offer(amendment["id"], 1)["offered"]
        motion = owner.governance.propose(federation.agreement_id, "suspend")
    columns = ("organization", "wallet")
    parties = {
        f"party-{column}": [each.get(column, "") for each in proposal["parties"]]
        for column in columns
    }
    return {
        "name": "healthcare",
        "proposal": proposal,
        "form": draft["proposal"]["answers"] | parties | {"based-on": "1"},
        "guest": guest,
        "draft_id": draft["id"],
        "version": 1,
        "invitation_id": invitation["id"],
        "secret": link["secret"],
        "version_hash": offered,
        "motion_id": motion["id"],
    }


def lines_of(routes: Iterable[Any]) -> set[str]:
    """Every method and path, of routes and of the routers among them."""
    found: set[str] = set()
    for route in routes:
        if hasattr(route, "effective_candidates"):
            found |= lines_of(route.effective_candidates())
        elif hasattr(route, "methods"):
            found |= {f"{method} {route.path}" for method in route.methods - {"HEAD", "OPTIONS"}}
        else:
            assert route.path == "/static", f"what is {route}?"
    return found


def test_every_route_is_in_the_table_and_every_line_has_a_route(stage: Stage) -> None:
    assert lines_of(stage.app.routes) == set(MATRIX), "list it in MATRIX: who may do that?"
    assert lines_of(stage.agents.routes) == set(AGENTS), "list it in AGENTS: what does it need?"


def test_every_change_is_in_a_programs_scope_or_is_a_persons_own() -> None:
    changes = {line.split("/")[2] for line in MATRIX if re.match("(?!GET)[A-Z]+ /api/", line)}
    assert changes - set(SCOPES) == {"session", "tokens", "members"}
    assert set(SCOPES.values()) <= set(get_args(Scope)), "no token can be made with that scope"


@pytest.mark.parametrize("of", ["own", "foreign"])
@pytest.mark.parametrize("line", sorted(SIGNED))
def test_a_signature_is_looked_at_only_when_it_is_the_callers_business(
    stage: Stage, line: str, of: str
) -> None:
    seen = ""
    for role in ROLES:
        answer = stage.ask(role, line, of)
        assert answer.status_code in (401, 403, 404), answer.text
        kind = answer.json()["type"].rpartition(":")[2]
        seen += role if kind == "wrong-signature" else ""
    assert seen == SIGNED[line][0 if of == "own" else 1]


@pytest.mark.parametrize("of", ["own", "foreign"])
@pytest.mark.parametrize("line", sorted(set(MATRIX) - set(SIGNED)))
def test_each_role_gets_what_the_table_says_and_nothing_else(
    stage: Stage, line: str, of: str
) -> None:
    expected = getattr(MATRIX[line], of)
    got = ""
    for role in ROLES:
        if line == "DELETE /api/session":
            assert stage.ask("v", line, of).status_code == 204  # the others still need theirs
            got = EVERYBODY
            break
        if line in BEFORE:
            stage.ask(role, BEFORE[line], of)
        answer = stage.ask(role, line, of)
        assert answer.status_code < 500, answer.text
        assert answer.status_code != 422, answer.text
        if answer.status_code not in (401, 403, 404):
            got += role
    assert got == expected


@pytest.mark.parametrize("line", sorted(AGENTS))
def test_nodes_show_a_certificate_or_a_secret(stage: Stage, line: str) -> None:
    method, path = line.split(" ", 1)
    body = {
        "secret": "nobody's secret, of some length",
        "csr_pem": "x",
        "key": "0x" + "11" * 20,
        "url": "",
        "signature": HEX,
        "usage": "{}",
        "lease": "0" * 16,
    }
    asked = replace_agents(stage)
    answer = stage.loop.run(asked._ask("v", method, fill(path, stage.own), body))
    if AGENTS[line] == "open":
        assert answer.status_code == 200
    else:
        assert answer.status_code == 403, answer.text


def replace_agents(stage: Stage) -> Stage:
    """The same stage, before the listener for nodes."""
    return replace(stage, app=stage.agents)
