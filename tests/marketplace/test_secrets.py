"""What is shown once is kept nowhere: not for who asks again, not in the trail, not in logs."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
import sqlalchemy as sa

from marketplace.settings import load
from marketplace.storage.database import Database
from marketplace.web.repeats import holds_secret
from tests.marketplace.test_negotiation import ANSWERS
from tests.marketplace.world import Federation, World

# Answers' fields that are as good as what they open.
SECRETS = ("secret", "token", "link")


@pytest.fixture(scope="module")
def agreed(world: World) -> Federation:
    made = Federation(world)
    made.agree()
    return made


def a_draft(agreed: Federation) -> str:
    parties = [{"organization": name} for name in ("clinic-a", "guest-of-secrets")]
    parties[0]["wallet"] = agreed.wallets["clinic-a"].address
    answers = ANSWERS | {"sponsor": agreed.world.treasury.address, "metering": "equal"}
    proposal = {"template": "healthcare", "answers": answers, "parties": parties}
    with agreed.owner("clinic-a") as owner:
        return str(owner.drafts.start(proposal)["id"])


# Each makes a secret: the path, and what is asked there.
ASKED: dict[str, Callable[[Federation], tuple[str, dict[str, Any]]]] = {
    "/api/tokens": lambda _: ("/api/tokens", {"name": "x", "scopes": ["read"]}),
    "/api/enrollment-tokens": lambda agreed: (
        "/api/enrollment-tokens",
        {"agreement": agreed.agreement_id, "organization": "clinic-a", "node": "site-7"},
    ),
    "/api/webhooks": lambda _: ("/api/webhooks", {"url": "https://1.1.1.1/secrets"}),
    "/api/drafts/{draft_id}/invitations": lambda agreed: (
        f"/api/drafts/{a_draft(agreed)}/invitations",
        {"organization": "guest-of-secrets"},
    ),
}


def test_the_table_has_every_answer_that_holds_a_secret(description: dict[str, Any]) -> None:
    found = set()
    for path, operations in description["paths"].items():
        for operation in operations.values():
            for status in ("200", "201", "202"):
                schema = str(operation["responses"].get(status, {}).get("content", ""))
                for name in re.findall(r"#/components/schemas/(\w+)", schema):
                    fields = description["components"]["schemas"][name].get("properties", {})
                    if set(fields) & set(SECRETS):
                        found.add(path)
    assert found == set(ASKED) | {"/api/session"}


@pytest.mark.parametrize("path", sorted(ASKED))
def test_a_secret_is_in_its_answer_and_nowhere_else(agreed: Federation, path: str) -> None:
    place, body = ASKED[path](agreed)
    assert holds_secret(place)
    with agreed.owner("clinic-a") as owner:
        made = owner.request("POST", place, body, key="secrets-1")
        again = owner.request("POST", place, body, key="secrets-1")
        # That keys do work: an answer without a secret is kept, and repeated.
        kept = owner.request("PUT", f"/api/members/0x{'55' * 20}", {"role": "auditor"}, key="s-2")
        assert kept["wallet"] in everything_kept(agreed.world)
        if path == "/api/webhooks":
            for each in (made, again):
                owner.request("DELETE", f"/api/webhooks/{each['id']}")
    secrets = [answer[name] for answer in (made, again) for name in SECRETS if name in answer]
    assert len(set(secrets)) == len(secrets) >= 2
    stored = everything_kept(agreed.world)
    for secret in secrets:
        assert secret.rpartition("/")[2] not in stored


def everything_kept(world: World) -> str:
    """All rows of the database, and what the marketplace wrote to its log."""
    database = Database(load(world.folder).database)
    tables = sa.MetaData()
    tables.reflect(database.engine)
    with database.engine.connect() as connection:
        rows = [str(connection.execute(sa.select(each)).all()) for each in tables.sorted_tables]
    database.close()
    return "\n".join([*rows, (world.folder / "serve.log").read_text("utf-8")])
