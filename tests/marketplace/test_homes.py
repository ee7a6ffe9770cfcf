"""Homes of owners and operators: money with its proof, news with what to do, tokens for nodes."""

from __future__ import annotations

import json
import re
from decimal import Decimal

import pytest

from contracts.keys import new_key
from marketplace.money.choices import periods
from marketplace.money.periods import parse_span
from tests.marketplace.nodes import Node
from tests.marketplace.test_pages import browser
from tests.marketplace.world import CLINICS, TOKEN_WEI, Federation, World, eventually


@pytest.fixture(scope="module")
def running(world: World) -> Federation:
    """A run in its last rounds, of whose earnings one owner has claimed."""
    federation = Federation(world)
    federation.agree(max_rounds=4)
    for name in federation.wallets:
        federation.enroll(name)
    federation.start(f"nearly-over-{federation.number}")
    federation.fund(10)
    federation.seal(1.5)
    federation.seal(1.0, {0: 7000, 1: 2000, 2: 1000})
    with federation.owner("clinic-a") as owner:
        eventually(lambda: owner.rounds(federation.run_id), lambda seen: len(seen) == 2)
        owner.wait(owner.claim(federation.run_id, "clinic-a")["id"])
    federation.seal(0.8, {0: 5000, 1: 3000, 2: 2000})
    with federation.owner("clinic-a") as owner:
        eventually(lambda: owner.rounds(federation.run_id), lambda seen: len(seen) == 3)
    return federation


def test_an_owner_sees_each_entry_of_a_statement_with_its_balance(running: Federation) -> None:
    with browser(running.world, running.wallets["clinic-a"]) as owner:
        page = owner.get("/statements/clinic-a").text
    rows = re.findall(r"<tr>(.*?)</tr>", page, re.DOTALL)
    mine = [row for row in rows if f"/runs/{running.run_id}" in row]
    assert [re.findall(r"</a>, ([a-z]+ ?\d*)</th>", row) for row in mine] == [
        ["round 2"],
        ["claimed"],
        ["round 1"],
    ]
    assert "−" in mine[1]
    assert "−" not in mine[0] + mine[2]
    assert "70.0\u202f%" in mine[2]
    assert "33.3\u202f%" in mine[2]


def test_the_files_of_a_statement_are_those_of_the_api(running: Federation) -> None:
    with browser(running.world, running.wallets["clinic-a"]) as owner:
        page = owner.get("/statements/clinic-a?period=all").text
        for form in ("json", "csv", "pdf"):
            file = owner.get(f"/statements/clinic-a?period=all&form={form}")
            api = owner.get(f"/api/statements/clinic-a?period=all&form={form}")
            assert file.headers["content-type"] == api.headers["content-type"]
            assert file.headers["content-disposition"] == api.headers["content-disposition"]
        signed = owner.get("/statements/clinic-a?form=json")
        name = re.search(r'filename="(.+)"', signed.headers["content-disposition"])
        assert json.loads(signed.content)["wallet"] == running.wallets["clinic-a"].address
        assert name
        assert f"swarm-market verify-statement {name[1]} --rpc" in page


def test_a_period_without_a_block_is_an_error_page_that_says_so(running: Federation) -> None:
    with browser(running.world, running.wallets["clinic-a"]) as owner:
        shown = owner.get("/statements/clinic-a?first=2020-01-01&last=2020-01-31")
        assert shown.status_code == 409
        assert "no block of that period" in shown.text
        assert owner.get("/statements/clinic-b").status_code == 404


def test_every_period_that_is_offered_can_be_read() -> None:
    for now_s in (0, 1_774_915_200, 1_798_761_599):  # among them the last second of a year
        offered = periods(now_s + 400 * 86_400)
        spans = [parse_span(value) for value, _ in offered]
        assert len(spans) == 7
        # This and last of a kind follow each other without a gap.
        for this, last in ((1, 2), (3, 4), (5, 6)):
            assert spans[last].ends_s == spans[this].begins_s


def test_news_say_what_to_do_in_tokens_and_words(running: Federation) -> None:
    with browser(running.world, running.wallets["clinic-a"]) as owner:
        page = owner.get("/earnings").text
    first, news = re.findall(r'<ul class="news">(.*?)</ul>', page, re.DOTALL)
    assert f"nearly-over-{running.number} is in its last 3 rounds" in first
    assert 'class="pressing"' in first
    assert "clinic-a was paid 2.49 tokens of its rewards" in news
    assert "move it at once" in news
    assert " wei" not in news


def test_an_operator_makes_a_token_and_is_shown_each_command(running: Federation) -> None:
    operator = new_key()
    with running.owner("clinic-a") as owner:
        owner.appoint(operator.address, "operator")
    seat = f"{running.agreement_id} clinic-a"
    with browser(running.world, operator) as someone:
        assert f'value="{seat}"' in someone.get("/my-nodes").text
        form = {"seat": seat, "node": "Site-2", "url": "https://site-2.example:7443"}
        page = someone.post("/my-nodes/tokens", data=form)
        assert page.status_code == 200
        commands = re.findall(r'data-copy="(swarm-[^"]+)"', page.text)
        assert [each.split()[:2] for each in commands] == [
            ["swarm-node", "enroll"],
            ["swarm-market", "node"],
            ["swarm-node", "validate"],
        ]
        assert commands[0].endswith("--url https://site-2.example:7443")
        node = Node(commands[0].split("--token ")[1].split()[0])
        assert node.first_contact().status_code == 200
        assert node.sign().status_code == 200
        assert "Asking to be enrolled" in someone.get("/my-nodes").text


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"node": "site 2"}, "cannot be a name"),
        ({"url": "http://plain.example:1;rm -rf"}, "reach"),
        ({"seat": "0x00 clinic-a"}, "you take part in no agreement"),
    ],
)
def test_what_no_token_can_be_made_for_is_told_in_the_form(
    change: dict[str, str], said: str, running: Federation
) -> None:
    form = {"seat": f"{running.agreement_id} clinic-a", "node": "site-2", "url": ""} | change
    with browser(running.world, running.wallets["clinic-a"]) as owner:
        page = owner.post("/my-nodes/tokens", data=form)
    assert page.status_code in (404, 422)
    assert said in page.text.replace("&#39;", "'")
    assert "swarm-node enroll --token" not in page.text


def test_who_runs_nodes_for_nobody_is_told_whom_to_ask(running: Federation) -> None:
    with browser(running.world, new_key()) as stranger:
        page = stranger.get("/my-nodes").text
    assert "Ask the owner of yours to appoint you" in page
    assert "swarm-market org appoint 0x" in page


def test_runs_of_several_agreements_are_told_each_by_the_seat_that_the_owner_has_there(
    running: Federation,
) -> None:
    other = Federation(running.world, dict(reversed(CLINICS.items())))  # clinic-a is the last one
    other.agree()
    for name in other.wallets:
        other.enroll(name)
    other.start("longer")
    other.fund(200)
    other.seal(2.0)
    for number in range(1, 11):
        # Who is away in round 6 sits where clinic-a does under the other agreement.
        shares = {1: 5000, 2: 5000} if number == 6 else {0: 5000, 1: 3000, 2: 2000}
        other.seal(2 - number / 10, shares)
    with other.owner("clinic-b") as neighbor:
        rounds = eventually(lambda: neighbor.rounds(other.run_id), lambda seen: len(seen) == 11)
        neighbor.wait(neighbor.claim(other.run_id, "clinic-b")["id"])
    seats = {running.run_id: running.account(0), other.run_id: other.account(2)}
    longer = other.run_id
    other.start("not-begun")
    with browser(running.world, running.wallets["clinic-a"]) as owner:
        page = owner.get("/earnings").text
    in_all, *sections = re.split(r'<section class="card" aria-labelledby="run-', page)
    runs = {re.findall(r'href="/runs/(\w+)"', each)[0]: each for each in sections}
    for run_id, account in seats.items():
        assert _fact(runs[run_id], "Earned") == account.accrued > 0
        assert _fact(runs[run_id], "Claimed") == account.claimed
        assert _fact(runs[run_id], "To claim") == account.accrued - account.claimed > 0
    equal_wei = sum(int(each["credited_wei"]) // len(each["shares"]) for each in rounds[1:])
    assert _fact(runs[longer], "If split equally") == equal_wei
    # What a neighbor claimed is not among it.
    assert [runs[each].count("(block ") for each in seats] == [1, 0]
    assert _rounds(runs[running.run_id]) == [("2", "50.0"), ("1", "70.0")]
    assert _rounds(runs[longer]) == [
        (str(number), "50.0" if number == 6 else "20.0") for number in range(10, 2, -1)
    ]
    assert _fact(runs[other.run_id], "Earned") == 0
    assert "No round has paid yet" in runs[other.run_id]
    assert _fact(in_all, "Earned") == sum(_fact(each, "Earned") for each in runs.values())


def _fact(html: str, name: str) -> int:
    """Wei of an amount under its name."""
    [exact] = re.findall(rf'<dt>{name}</dt><dd[^>]*><span title="([^"]+) tokens">', html)
    return int(Decimal(exact) * TOKEN_WEI)


def _rounds(html: str) -> list[tuple[str, str]]:
    """The rounds of a table, each with its share in percent."""
    return re.findall(r'<th scope="row" class="num">(\d+)</th><td class="num">([\d.]+)', html)
