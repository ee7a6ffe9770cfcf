"""What a draft of an agreement says, and the defaults of what it leaves out."""

from __future__ import annotations

import re
import unicodedata
from typing import Annotated, Any, Final

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from contracts.errors import MessageError
from contracts.messages import Agreement, Party, Terms, checksum_address, from_json, to_json
from marketplace.errors import InvalidInput

METERING: Final = {"equal": 0, "size": 1, "common": 2}
MERGE_RULES: Final = {"mean": 0}
NO_HASH: Final = "0x" + "00" * 32
DAY_S: Final = 86_400
# The contract's limits: better refused here than when everybody has signed.
LEAST_PARTIES: Final = 2
MOST_PARTIES: Final = 64
LEAST_PARTIES_METERED: Final = 3

_DEFAULTS: Final[dict[str, Any]] = {
    "validation_root": NO_HASH,
    "min_samples": 64,
    "sync_frequency": 16,
    "stall_time": 3_600,
    "quorum_grace": 5_000,
    "leader_timeout": 30_000,
    "min_peers": 0,
    "merge_rule": "mean",
}
_SLUG: Final = re.compile(r"[a-z0-9-]{1,63}")


def _text(value: str) -> str:
    normal = unicodedata.normalize("NFC", value.replace("\r\n", "\n")).strip()
    if any(unicodedata.category(each) in ("Cc", "Cf") and each != "\n" for each in normal):
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
    """What the parties fill in; `terms` are those of the message, defaults may be left out."""

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
    parties: list[DraftParty] = Field(min_length=LEAST_PARTIES, max_length=MOST_PARTIES)

    def completed(self, trust_domain: str, now_s: int) -> Draft:
        """The draft with every default written out, as it is stored and rendered.

        Raises:
            InvalidInput: the terms cannot be meant, or parties repeat themselves.
        """
        metering = "common" if len(self.parties) >= LEAST_PARTIES_METERED else "equal"
        terms = _DEFAULTS | {"metering": metering} | self.terms
        for name, codes in (("metering", METERING), ("merge_rule", MERGE_RULES)):
            if isinstance(terms[name], str):  # a number is one of the codes already
                terms[name] = codes.get(terms[name], terms[name])
        message = _terms(terms)
        _check_terms(message, len(self.parties))
        _check_parties(self.parties)
        return self.model_copy(
            update={
                "trust_domain": self.trust_domain or trust_domain,
                "not_before": now_s if self.not_before is None else self.not_before,
                "terms": to_json(message),
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
            terms=_terms(self.terms),
            parties=tuple(
                Party(each.organization, each.wallet, each.weight) for each in self.parties
            ),
        )


def name_of(codes: dict[str, int], code: int) -> str:
    """The name of a metering or merge rule."""
    return next(name for name, known in codes.items() if known == code)


def _terms(fields: dict[str, Any]) -> Terms:
    try:
        return from_json(Terms, fields)
    except MessageError as error:
        raise InvalidInput(
            f"the terms of the draft: {error}",
            hint="hashes are 0x and 64 hexadecimal digits, losses are in 1e-9, integers beyond "
            "2^53 are strings of decimals",
        ) from error


def _check_terms(terms: Terms, parties: int) -> None:
    if terms.metering not in METERING.values():
        raise InvalidInput("unknown metering", hint=f"one of {', '.join(METERING)}")
    if terms.merge_rule not in MERGE_RULES.values():
        raise InvalidInput("unknown merge rule", hint=f"one of {', '.join(MERGE_RULES)}")
    if terms.metering == METERING["common"] and terms.validation_root == bytes(32):
        raise InvalidInput(
            "metering on a common validation set needs that set's hash",
            hint="set terms.validation_root, or terms.metering to equal or size",
        )
    if terms.metering == METERING["common"] and parties < LEAST_PARTIES_METERED:
        raise InvalidInput(
            "two organizations always split equally", hint='set terms.metering to "equal"'
        )
    if terms.target_loss >= terms.loss_ceiling:
        raise InvalidInput("the target loss has to be below the loss ceiling")
    if terms.min_peers > parties:
        raise InvalidInput(f"min_peers asks for {terms.min_peers} of {parties} organizations")
    for name in ("max_rounds", "sync_frequency"):
        if getattr(terms, name) == 0:
            raise InvalidInput(f"the terms' {name} must be above zero")
    for name in ("initial_root", "schema_hash"):
        if getattr(terms, name) == bytes(32):
            raise InvalidInput(f"the terms' {name} is missing", hint="it is a BLAKE3 hash")
    if int(terms.sponsor, 16) == 0:
        raise InvalidInput("the terms name no sponsor")
    if terms.leader_timeout <= terms.quorum_grace:
        raise InvalidInput("leader_timeout has to be longer than quorum_grace")
    if terms.stall_time * 1000 <= terms.leader_timeout:
        raise InvalidInput("stall_time has to be longer than leader_timeout")


def _check_parties(parties: list[DraftParty]) -> None:
    for what in ("organization", "wallet"):
        values = [getattr(each, what) for each in parties]
        if len(set(values)) < len(values):
            raise InvalidInput(f"two parties share a{'n' if what[0] == 'o' else ''} {what}")
