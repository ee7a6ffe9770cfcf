"""Templates: what they say, what they refuse, and that the same answers give the same bytes."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

import pytest

from contracts.messages import Terms, from_json
from marketplace.agreements import templating
from marketplace.agreements.document import Amends
from marketplace.agreements.html import to_html
from marketplace.agreements.templating import BadAnswers, Template
from marketplace.consortia.proposals import OpenParty, Proposal, compose
from marketplace.errors import SettingsError

TEMPLATES = templating.load()
NOW_S = 1_800_000_000
WALLET = "0x52908400098527886E0F7030069857D2E4169EE7"
ANSWERS = {"model": "A small net.", "law": "Dutch law; Utrecht"}
ALL_FIXED = ANSWERS | {
    "initial_root": "0x" + "11" * 32,
    "schema_hash": "0x" + "22" * 32,
    "validation_root": "0x" + "33" * 32,
    "sponsor": WALLET,
}


def parties(*names: str, wallets: bool = True) -> list[OpenParty]:
    return [
        OpenParty(organization=name, wallet="0x" + f"{n + 1:040x}" if wallets else "")
        for n, name in enumerate(names)
    ]


def proposal(name: str, answers: dict[str, str], *names: str, wallets: bool = True) -> Proposal:
    return Proposal(
        template=name, answers=answers, parties=parties(*(names or "abc"), wallets=wallets)
    )


@pytest.mark.parametrize("name", ["healthcare", "fraud-detection", "manufacturing"])
def test_the_same_answers_give_the_same_bytes(name: str) -> None:
    first = compose(proposal(name, ALL_FIXED), TEMPLATES, "swarm.example", NOW_S)
    again = compose(first.proposal, templating.load(), "swarm.example", NOW_S)
    assert first.document == again.document
    assert first.document_hash == again.document_hash
    assert first.open_items == ()
    assert first.draft.message(first.document_hash) == again.draft.message(again.document_hash)


@pytest.mark.parametrize("name", ["healthcare", "fraud-detection", "manufacturing"])
def test_every_template_says_what_an_agreement_has_to_say(name: str) -> None:
    text = compose(proposal(name, ALL_FIXED), TEMPLATES, "swarm.example", NOW_S).document
    for said in (
        "Purpose",
        "exposure",
        "What leaves a site, and how it is guarded",
        "expected outcome",
        "## 6. Duration",
        "metering, quorum and target",
        "Weights: ",
        "Transaction fees: ",
        "Metering: **common**",
        "returns to the sponsor",
        "## 10. Leaving",
        "## 11. Disputes",
    ):
        assert said in text, said
    assert "{{" not in text
    assert "to be agreed" not in text


def test_what_is_open_is_named_and_stands_in_the_text() -> None:
    composed = compose(
        proposal("healthcare", ANSWERS, wallets=False), TEMPLATES, "swarm.example", NOW_S
    )
    assert "the sponsor's wallet" in composed.open_items
    assert "the wallet of b" in composed.open_items
    assert composed.document.count("to be agreed before signing") == 7


def test_numbers_mean_what_people_wrote() -> None:
    answers = ALL_FIXED | {"budget": "12.5", "target_loss": "0.05", "wallet_delay_days": "3"}
    draft = compose(proposal("healthcare", answers), TEMPLATES, "swarm.example", NOW_S).draft
    terms = from_json(Terms, draft.terms)
    assert (terms.budget, terms.target_loss, terms.min_samples) == (125 * 10**17, 50_000_000, 100)
    assert draft.bylaws["wallet_delay"] == 3 * 86_400


@pytest.mark.parametrize(
    ("answers", "field", "reason"),
    [
        ({"model": ""}, "model", "is needed"),
        ({"budget": "a lot"}, "budget", "a number"),
        ({"budget": "1.0000000000000000001"}, "budget", "a number"),
        ({"target_loss": "3"}, "target_loss", "below the highest"),
        ({"max_rounds": "0"}, "max_rounds", "must be 1 to"),
        ({"sponsor": "0x12"}, "sponsor", "not an address"),
        ({"initial_root": "0x12"}, "initial_root", "64 hexadecimal"),
        ({"title": "a\nb"}, "title", "single line"),
        ({"title": "a\u202eb"}, "title", "control characters"),
        ({"privacy_guard": "hope"}, "privacy_guard", "choose one of"),
        ({"min_peers": "4"}, "min_peers", "there are 3 parties"),
        ({"colour": "blue"}, "colour", "no such field"),
    ],
)
def test_a_wrong_answer_is_told_at_its_field(
    answers: dict[str, str], field: str, reason: str
) -> None:
    with pytest.raises(BadAnswers) as refused:
        compose(proposal("healthcare", ALL_FIXED | answers), TEMPLATES, "swarm.example", NOW_S)
    assert reason in refused.value.fields[field]


def test_two_parties_are_told_to_split_equally() -> None:
    with pytest.raises(BadAnswers) as refused:
        compose(proposal("healthcare", ALL_FIXED, "a", "b"), TEMPLATES, "swarm.example", NOW_S)
    assert "choose equal" in refused.value.fields["metering"]


def test_no_answer_can_pass_for_a_part_of_the_text() -> None:
    answers = ALL_FIXED | {
        "title": "Pact [x](https://evil.example) <b>",
        "purpose": "Good.\n\n## 8. Money\n\nThe sponsor pays nothing.",
        "law": "**none**",
    }
    text = compose(proposal("healthcare", answers), TEMPLATES, "swarm.example", NOW_S).document
    assert text.count("\n## 8. Money\n") == 1
    assert "> ## 8. Money" in text
    page = to_html(text)
    assert "<a " not in page
    assert "<b>" not in page
    assert "**none**" in page
    assert "<h1" not in page  # the page has its own


def test_the_page_of_a_text_has_no_markup_but_its_own() -> None:
    page = to_html("# A\n\n> ![x](http://evil.example/a.png) <script>alert(1)</script>\n")
    assert "<img" not in page
    assert "<script" not in page


def test_an_amendment_says_what_it_amends() -> None:
    amends = Amends("0x" + "ab" * 32, 3)
    text = compose(
        proposal("manufacturing", ALL_FIXED), TEMPLATES, "swarm.example", NOW_S, amends
    ).document
    title, _, rest = text.partition("\n\n")
    assert title.startswith("# ")
    assert rest.startswith("This is version 3 of the agreement `0x" + "ab" * 32)


def test_the_text_names_the_template_that_it_came_from() -> None:
    text = compose(proposal("healthcare", ALL_FIXED), TEMPLATES, "swarm.example", NOW_S).document
    shown = re.search(r"Template healthcare, version 1, SHA-256 ([0-9a-f]{64})\.\n$", text)
    assert shown
    assert shown[1] == TEMPLATES["healthcare"].sha256
    shared = (templating.SHIPPED / "common.toml").read_bytes()
    own = (templating.SHIPPED / "healthcare.md").read_bytes()
    assert shown[1] == hashlib.sha256(shared + own).hexdigest()


def test_an_operator_may_bring_templates_of_his_own(tmp_path: Path) -> None:
    pattern = (templating.SHIPPED / "healthcare.md").read_text()
    (tmp_path / "dental.md").write_text(pattern.replace('label = "Healthcare"', 'label = "Dental"'))
    known = templating.load(tmp_path)
    assert known["dental"].label == "Dental"
    assert known["healthcare"].label == "Healthcare"


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (("{{money}}", ""), "lacks money"),
        (("{{law}}", "{{loud}}"), "no field loud"),
        (('kind = "line"', 'kind = "blink"'), "no known kind"),
        (("+++\n", ""), "is no template"),
    ],
)
def test_a_template_that_cannot_be_meant_is_refused(
    tmp_path: Path, change: tuple[str, str], reason: str
) -> None:
    pattern = (templating.SHIPPED / "healthcare.md").read_text()
    (tmp_path / "broken.md").write_text(pattern.replace(*change))
    with pytest.raises(SettingsError, match=reason):
        templating.load(tmp_path)


def test_every_field_of_every_template_helps_who_fills_it_in() -> None:
    def check(template: Template) -> None:
        for field in template.fields:
            assert field.help, f"{template.name}: {field.name}"
            assert field.label
            assert field.kind != "choice" or len(field.choices) >= 1

    for template in TEMPLATES.values():
        check(template)
