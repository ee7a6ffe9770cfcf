"""What a draft of an agreement says, and the defaults of what it leaves out."""

from __future__ import annotations

import re
import unicodedata
from typing import Annotated, Any, Final, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from contracts.errors import MessageError
from contracts.messages import (
    Agreement,
    Bylaws,
    Party,
    Terms,
    checksum_address,
    from_json,
    to_json,
)
from marketplace.agreements.terms import complete_bylaws, complete_terms
from marketplace.errors import InvalidInput

DAY_S: Final = 86_400
LEAST_PARTIES: Final = 2
MOST_PARTIES: Final = 64
_SLUG: Final = re.compile(r"[a-z0-9-]{1,63}")


def _text(value: str) -> str:
    normal = unicodedata.normalize("NFC", value.replace("\r\n", "\n")).strip()
    if any(unicodedata.category(each) in ("Cc", "Cf", "Cs") and each != "\n" for each in normal):
        raise ValueError("holds control characters")
    return normal


def _line(value: str) -> str:
    if "\n" in (text := _text(value)):
        raise ValueError("must be a single line")
    return text


def _slug(value: str) -> str:
    if not _SLUG.fullmatch(value):
        raise ValueError("must be 1 to 63 lower-case letters, digits and hyphens")
    return value


def _address(value: str) -> str:
    try:
        return checksum_address(value)
    except MessageError as error:
        raise ValueError(str(error)) from error


Line = Annotated[str, Field(min_length=1, max_length=160), AfterValidator(_line)]
LongText = Annotated[str, Field(min_length=1, max_length=8_000), AfterValidator(_text)]
Slug = Annotated[str, AfterValidator(_slug)]
Wallet = Annotated[str, AfterValidator(_address)]


class DraftParty(BaseModel):
    """One legal entity."""

    model_config = ConfigDict(extra="forbid")

    organization: Slug
    name: Annotated[str, Field(max_length=160), AfterValidator(_line)] = ""
    wallet: Wallet
    weight: int = Field(default=1, ge=1, le=65_535)


class Draft(BaseModel):
    """What the parties fill in; `terms` and `bylaws` are the message's, but for their defaults."""

    model_config = ConfigDict(extra="forbid")

    title: Line
    purpose: LongText
    data_exposure: LongText
    shared: LongText
    expected_outcome: LongText
    model: LongText
    remarks: Annotated[str, Field(max_length=8_000), AfterValidator(_text)] = ""
    trust_domain: str = Field(default="", pattern=r"^[a-z0-9.-]{0,63}$")
    not_before: int | None = Field(default=None, ge=0, description="unix seconds; default: now")
    duration_days: int = Field(default=365, ge=1, le=36_500)
    terms: dict[str, Any]
    bylaws: dict[str, Any] = Field(default_factory=dict)
    parties: list[DraftParty] = Field(min_length=LEAST_PARTIES, max_length=MOST_PARTIES)

    def completed(self, trust_domain: str, now_s: int) -> Self:
        """The draft with every default written out, as it is stored and rendered.

        Raises:
            InvalidInput: terms or bylaws cannot be meant, or parties repeat themselves.
        """
        terms = complete_terms(self.terms, len(self.parties))
        bylaws = complete_bylaws(self.bylaws, len(self.parties))
        _check_parties(self.parties)
        return self.model_copy(
            update={
                "trust_domain": self.trust_domain or trust_domain,
                "not_before": now_s if self.not_before is None else self.not_before,
                "terms": to_json(terms),
                "bylaws": to_json(bylaws),
                "parties": [
                    each.model_copy(update={"name": each.name or each.organization})
                    for each in self.parties
                ],
            }
        )

    def message(self, document_hash: bytes) -> Agreement:
        """What the parties sign, for a completed draft and the SHA-256 of its text."""
        not_before = self.not_before or 0
        return Agreement(
            document=document_hash,
            purpose=self.purpose,
            trust_domain=self.trust_domain,
            not_before=not_before,
            not_after=not_before + self.duration_days * DAY_S,
            bylaws=from_json(Bylaws, self.bylaws),
            terms=from_json(Terms, self.terms),
            parties=tuple(
                Party(each.organization, each.wallet, each.weight) for each in self.parties
            ),
        )


class TemplatedDraft(Draft):
    """A draft made from a template's answers, which also hold what only its text says."""

    template: str
    template_version: int
    template_sha256: str
    answers: dict[str, str]


def _check_parties(parties: list[DraftParty]) -> None:
    for what in ("organization", "wallet"):
        values = [getattr(each, what) for each in parties]
        if len(set(values)) < len(values):
            raise InvalidInput(f"two parties share a{'n' if what[0] == 'o' else ''} {what}")
