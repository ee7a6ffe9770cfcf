"""Drafts without a template, in the form: begun, counter-proposed, amended, nothing lost."""

from __future__ import annotations

import html
import re

import httpx
import pytest

from contracts.keys import Signer, new_key
from marketplace.agreements.fields import answer_of, value_of
from marketplace.agreements.templating import common_fields
from tests.marketplace.test_pages import browser
from tests.marketplace.world import Federation, World, draft

ROOTS = {name: "0x" + byte * 32 for name, byte in (("initial_root", "11"), ("schema_hash", "22"))}
WORDS = {
    name: f"About the {name}."
    for name in ("title", "purpose", "expected_outcome", "model", "data_exposure", "shared")
}


@pytest.fixture
def wallets() -> dict[str, Signer]:
    number = new_key().address[2:8].lower()
    return {f"{name}-{number}": new_key() for name in ("north", "east")}


def form_of(page: str) -> dict[str, str | list[str]]:
    """What a browser would send of the page's form, as it stands there."""
    found: dict[str, list[str]] = {}
    form = page[page.index('<form class="wide"') : page.index("</form>", page.index("finish"))]
    for name, value in re.findall(r'<input [^>]*?name="([\w-]+)" value="([^"]*)"', form):
        found.setdefault(name, []).append(html.unescape(value))
    for name, text in re.findall(r'<textarea [^>]*?name="(\w+)"[^>]*>(.*?)</textarea>', form, re.S):
        found.setdefault(name, []).append(html.unescape(text))
    for name, options in re.findall(r'<select [^>]*?name="(\w+)"[^>]*>(.*?)</select>', form, re.S):
        found.setdefault(name, []).extend(re.findall(r'value="([^"]*)" selected', options))
    return {name: values if len(values) > 1 else values[0] for name, values in found.items()}


def parties(wallets: dict[str, Signer]) -> dict[str, list[str]]:
    return {
        "party-organization": list(wallets),
        "party-wallet": [each.address for each in wallets.values()],
    }


def begun(someone: httpx.Client, answers: dict[str, object]) -> str:
    form = form_of(someone.get("/drafts/new/plain").text) | answers
    made = someone.post("/drafts/new/plain", data=form)
    assert made.status_code == 303, re.findall(r'class="error"[^>]*>[^<]+', made.text)
    return str(made.headers["location"])


def test_a_draft_is_begun_and_counter_proposed_without_a_template(
    world: World, wallets: dict[str, Signer]
) -> None:
    answers = WORDS | ROOTS | parties(wallets) | {"metering": "equal", "sponsor": new_key().address}
    further = {"further_terms": "quorum_grace = 7000\nmerge_rule = 'plug-in-200'"}
    with browser(world, next(iter(wallets.values()))) as someone:
        assert "Without a template" in someone.get("/drafts/new").text
        place = begun(someone, answers | further)
        before = form_of(someone.get(f"{place}/edit").text)
        assert set(str(before["further_terms"]).split("\n")) == {
            "quorum_grace = 7000",
            'merge_rule = "plug-in-200"',
        }
        assert before["metering"] == "equal"
        assert before["max_nodes"] == "4"
        changed = someone.post(f"{place}/edit", data=before | {"budget": "1250.5"})
        assert changed.status_code == 303, changed.text
        told = someone.get(f"{place}/changes").text
    terms = told[told.index('id="terms-title"') : told.index('id="text-title"')]
    assert re.findall(r"<(?:del|ins)>([^<]+)", terms) == ["1000 tokens", "1250.5 tokens"]
    assert terms.count("<tr>") == 2  # the heading, and the one change


def test_a_proposal_from_a_file_can_be_changed_in_the_form(
    world: World, wallets: dict[str, Signer]
) -> None:
    fields = draft(wallets, new_key().address, min_samples=200)
    people = fields.pop("parties")
    with world.client(next(iter(wallets.values()))) as owner:
        made = owner.drafts.start({"fields": fields, "parties": people})
    with browser(world, next(iter(wallets.values()))) as someone:
        form = form_of(someone.get(f"/drafts/{made['id']}/edit").text)
        assert form["min_samples"] == "200"
        assert form["max_nodes"] == "32"  # what the file left to its default, not the form's
        assert form["target_loss"] == "0.1"
        same = someone.post(f"/drafts/{made['id']}/edit", data=form)
        assert same.status_code == 409
        assert "says the same as version 1" in same.text


def test_an_agreement_without_a_template_is_amended_in_the_form(world: World) -> None:
    federation = Federation(world)
    federation.agree()
    with browser(world, federation.wallets["clinic-a"]) as owner:
        place = owner.post(f"/agreements/{federation.agreement_id}/amend").headers["location"]
        form = form_of(owner.get(f"{place}/edit").text)
        assert owner.post(f"{place}/edit", data=form | {"max_rounds": "30"}).status_code == 303
        told = owner.get(f"{place}/changes").text
        assert re.findall(r"<(?:del|ins)>(\d+ rounds)", told) == ["24 rounds", "30 rounds"]


def test_what_is_wrong_is_told_at_its_field(world: World, wallets: dict[str, Signer]) -> None:
    with browser(world, next(iter(wallets.values()))) as someone:
        form = form_of(someone.get("/drafts/new/plain").text) | WORDS | parties(wallets)
        page = someone.post("/drafts/new/plain", data=form | {"max_rounds": "x", "purpose": " "})
        assert page.status_code == 422
        assert re.findall(r'id="e-(\w+)"', page.text) == ["purpose", "max_rounds"]
        page = someone.post("/drafts/new/plain", data=form | {"further_terms": "quorum_grace: 5"})
        assert re.findall(r'id="e-(\w+)"', page.text) == ["further_terms"]


def test_an_answer_comes_back_from_its_value() -> None:
    samples = {"integer": "7", "tokens": "1250.5", "loss": "0.02", "hash": "0x" + "ab" * 32}
    for field in common_fields():
        for answer in filter(None, (samples.get(field.kind), field.default)):
            assert answer_of(field, value_of(field, answer)) == answer.strip("\n")
