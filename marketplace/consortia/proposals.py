"""What a version of a draft says, and the text that follows from it.

A proposal may leave hashes and wallets open. They are filled with stand-ins to check all the rest
by the contracts' rules, and taken out again before the text is written, which then says so.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Final

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from contracts.errors import MessageError
from contracts.messages import checksum_address
from marketplace.agreements.document import Amends, render, render_from
from marketplace.agreements.drafts import (
    LEAST_PARTIES,
    MOST_PARTIES,
    Draft,
    DraftParty,
    Slug,
    TemplatedDraft,
)
from marketplace.agreements.templating import BadAnswers, Template, template_named
from marketplace.agreements.terms import LEAST_PARTIES_LOCAL, LEAST_PARTIES_METERED, NO_HASH
from marketplace.errors import InvalidInput

_STAND_IN_HASH: Final = "0x" + "01".rjust(64, "0")
_NO_WALLET: Final = "0x" + "00" * 20


def _wallet_or_nothing(value: str) -> str:
    try:
        return value and checksum_address(value)
    except MessageError as error:
        raise ValueError(str(error)) from error


class OpenParty(BaseModel):
    """A party whose wallet may not be known yet."""

    model_config = ConfigDict(extra="forbid")

    organization: Slug
    name: Annotated[str, Field(max_length=160)] = ""
    wallet: Annotated[str, AfterValidator(_wallet_or_nothing)] = ""
    weight: int = Field(default=1, ge=1, le=65_535)


class Proposal(BaseModel):
    """What people propose: a template's answers, or the fields of a plain draft.

    Attributes:
        template: name of a template; empty where `fields` says it all.
        answers: to the template's questions; what is left out has its default.
        fields: of a plain draft, without its parties; see `agreements.drafts.Draft`.
    """

    model_config = ConfigDict(extra="forbid")

    template: str = ""
    answers: dict[str, str] = Field(default_factory=dict)
    fields: dict[str, Any] = Field(default_factory=dict)
    parties: list[OpenParty] = Field(min_length=LEAST_PARTIES, max_length=MOST_PARTIES)


@dataclass(frozen=True, slots=True)
class Composed:
    """A proposal, worked out.

    Attributes:
        proposal: with every answer written out and normal.
        draft: completed; zeros where something is open.
        open_items: what has to be agreed before it can be signed, in words.
    """

    proposal: Proposal
    draft: Draft
    document: str
    open_items: tuple[str, ...]

    @property
    def document_hash(self) -> bytes:
        """SHA-256 of the text: what all will sign, where nothing is open."""
        return hashlib.sha256(self.document.encode()).digest()


def compose(
    proposal: Proposal,
    templates: Mapping[str, Template],
    trust_domain: str,
    not_before: int,
    amends: Amends | None = None,
) -> Composed:
    """Works a proposal out. The same proposal and time give the same bytes.

    Args:
        proposal: what somebody wrote.
        templates: those there are.
        trust_domain: of the nodes.
        not_before: when it begins, unix seconds.
        amends: for an amendment.

    Raises:
        NotFound: no such template.
        BadAnswers: names the fields that cannot be meant.
        InvalidInput: the terms contradict each other.
    """
    template = template_named(templates, proposal.template) if proposal.template else None
    answers = template.answered(proposal.answers) if template else {}
    fields = template.draft_fields(answers) if template else dict(proposal.fields)
    terms = fields.get("terms", {})
    if not isinstance(terms, dict):
        raise BadAnswers({"terms": "must be an object"})
    fields = fields | {
        "terms": dict(terms),
        "not_before": not_before,
        "trust_domain": trust_domain,
    }
    _check_together(fields["terms"], len(proposal.parties))
    waiting = _fill_terms(fields["terms"], len(proposal.parties))
    unnamed = [n for n, each in enumerate(proposal.parties) if not each.wallet]
    fields["parties"] = [_named(n, each) for n, each in enumerate(proposal.parties)]
    draft = _completed(template, answers, fields, trust_domain, not_before)
    blank = _blank(draft, waiting, unnamed)
    text = (
        render_from(template, blank, amends)
        if template and isinstance(blank, TemplatedDraft)
        else render(blank, amends)
    )
    normal = proposal.model_copy(update={"answers": answers, "parties": _as_open(blank, unnamed)})
    return Composed(normal, blank, text, _in_words(proposal, waiting, unnamed))


def proposal_of(fields: Mapping[str, Any], parties: list[OpenParty]) -> Proposal:
    """The proposal that says the same as an agreement's stored draft."""
    if "template" in fields:
        return Proposal(template=fields["template"], answers=fields["answers"], parties=parties)
    kept = {name: value for name, value in fields.items() if name not in ("parties", "not_before")}
    return Proposal(fields=kept, parties=parties)


def _check_together(terms: Mapping[str, Any], parties: int) -> None:
    """What only shows where fields are seen together, told beside the field that can mend it."""
    wrong = {}
    if terms.get("metering") == "common" and parties < LEAST_PARTIES_METERED:
        wrong["metering"] = "two parties always split equally: choose equal"
    if terms.get("metering") == "local" and parties < LEAST_PARTIES_LOCAL:
        wrong["metering"] = f"needs {LEAST_PARTIES_LOCAL} parties: choose another"
    target, ceiling = terms.get("target_loss"), terms.get("loss_ceiling")
    if isinstance(target, int) and isinstance(ceiling, int) and target >= ceiling:
        wrong["target_loss"] = "must be below the highest initial loss"
    if isinstance(least := terms.get("min_peers"), int) and least > parties:
        wrong["min_peers"] = f"there are {parties} parties"
    if wrong:
        raise BadAnswers(wrong)


def _fill_terms(terms: dict[str, Any], parties: int) -> list[str]:
    """Puts stand-ins where a hash or a wallet is open, and gives their names."""
    needed = ["initial_root", "schema_hash", "sponsor"]
    metering = terms.get("metering")
    if metering in ("common", 2) or (metering is None and parties >= LEAST_PARTIES_METERED):
        needed.append("validation_root")
    missing = [name for name in needed if terms.get(name) in (None, "", NO_HASH, _NO_WALLET)]
    for name in missing:
        terms[name] = _STAND_IN_HASH if name != "sponsor" else _stand_in(0)
    return missing


def _stand_in(number: int) -> str:
    return checksum_address("0x" + f"{number + 1:040x}")


def _named(number: int, party: OpenParty) -> dict[str, Any]:
    return party.model_dump() | {"wallet": party.wallet or _stand_in(number)}


def _completed(
    template: Template | None,
    answers: dict[str, str],
    fields: dict[str, Any],
    trust_domain: str,
    not_before: int,
) -> Draft:
    try:
        if template is None:
            return Draft(**fields).completed(trust_domain, not_before)
        return TemplatedDraft(
            **fields,
            template=template.name,
            template_version=template.version,
            template_sha256=template.sha256,
            answers=answers,
        ).completed(trust_domain, not_before)
    except ValidationError as error:
        raise BadAnswers(
            {".".join(map(str, each["loc"])) or "draft": each["msg"] for each in error.errors()}
        ) from error
    except TypeError as error:
        raise InvalidInput(f"the draft: {error}") from error


def _blank(draft: Draft, waiting: list[str], unnamed: list[int]) -> Draft:
    """The draft with zeros where stand-ins were."""
    zeros = {name: _NO_WALLET if name == "sponsor" else NO_HASH for name in waiting}
    parties: list[DraftParty] = [
        each.model_copy(update={"wallet": _NO_WALLET}) if n in unnamed else each
        for n, each in enumerate(draft.parties)
    ]
    return draft.model_copy(update={"terms": draft.terms | zeros, "parties": parties})


def _as_open(draft: Draft, unnamed: list[int]) -> list[OpenParty]:
    return [
        OpenParty(**each.model_dump() | ({"wallet": ""} if n in unnamed else {}))
        for n, each in enumerate(draft.parties)
    ]


def _in_words(proposal: Proposal, waiting: list[str], unnamed: list[int]) -> tuple[str, ...]:
    words = {
        "initial_root": "the initial parameters' hash",
        "schema_hash": "the hash of their schema",
        "validation_root": "the common validation set's hash",
        "sponsor": "the sponsor's wallet",
    }
    wallets = [f"the wallet of {proposal.parties[n].organization}" for n in unnamed]
    return (*(words[name] for name in waiting), *wallets)
