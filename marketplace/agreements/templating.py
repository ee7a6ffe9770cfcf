"""Templates of agreements: Markdown with fields, and what becomes of people's answers.

A template file is TOML between lines of `+++` (label, version, summary, questions), then Markdown
in which `{{name}}` stands for an answer. A paragraph that is nothing but a text field becomes a
block quote; everything else that people wrote is escaped, so that no wording can pass for a part of
the text. `{{parties}}`, `{{period}}`, `{{nodes}}`, `{{rules}}`, `{{money}}` and `{{governance}}`
are made from the terms themselves: what the text says of them is what the contracts enforce.
"""

from __future__ import annotations

import hashlib
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Final

from marketplace.agreements.fields import KINDS, Choice, Field, FieldError, normal, value_of
from marketplace.agreements.terms import CODES
from marketplace.errors import InvalidInput, NotFound, SettingsError

SHIPPED: Final = Path(__file__).parent / "templates"
SECTIONS: Final = ("parties", "period", "nodes", "rules", "money", "governance")
_COMMON: Final = "common.toml"
_PLACE: Final = re.compile(r"\{\{([a-z_]+)\}\}")
_NAME: Final = re.compile(r"[a-z][a-z0-9-]{0,40}")
# Answers that are the names of codes; their texts are written where the codes are.
_LABELS: Final[dict[str, dict[str, str]]] = {
    "metering": {
        "equal": "Equally among those in the round",
        "size": "By the samples that nodes declare",
        "common": "Measured on a common validation set",
        "local": "Measured on the other parties' own data",
    },
    "budget_rule": {
        "progress": "With progress towards the target",
        "per-round": "An equal part with each round",
    },
    "payout": {"each-round": "After each round", "at-the-end": "When the run is over"},
}


class BadAnswers(InvalidInput):
    """Some answers cannot be meant.

    Attributes:
        fields: what is wrong, by the name of the field.
    """

    def __init__(self, fields: Mapping[str, str]) -> None:
        shown = "; ".join(f"{name}: {message}" for name, message in fields.items())
        super().__init__(shown, hint="swarm-market template show NAME lists the fields")
        self.fields = dict(fields)


@dataclass(frozen=True)
class Template:
    """One template.

    Attributes:
        body: Markdown with placeholders.
        sha256: of the file and the questions that it shares, as hexadecimal digits.
    """

    name: str
    label: str
    version: int
    summary: str
    fields: tuple[Field, ...]
    body: str
    sha256: str

    @cached_property
    def by_name(self) -> dict[str, Field]:
        return {each.name: each for each in self.fields}

    @property
    def groups(self) -> list[tuple[str, list[Field]]]:
        """The fields by their groups, in the order in which these first come."""
        found: dict[str, list[Field]] = {}
        for each in self.fields:
            found.setdefault(each.group, []).append(each)
        return list(found.items())

    def answered(self, given: Mapping[str, str]) -> dict[str, str]:
        """One normal answer for every field: what is given, else the default.

        Raises:
            BadAnswers: names everything that is wrong with them.
        """
        wrong = {name: "there is no such field" for name in given if name not in self.by_name}
        found: dict[str, str] = {}
        for field in self.fields:
            try:
                found[field.name] = normal(field, given.get(field.name, field.default))
            except FieldError as error:
                wrong[field.name] = str(error)
        if wrong:
            raise BadAnswers(wrong)
        return found

    def draft_fields(self, answers: Mapping[str, str]) -> dict[str, Any]:
        """What normal answers mean for a draft; open ones are left out."""
        found: dict[str, Any] = {"terms": {}, "bylaws": {}}
        for field in self.fields:
            if not field.binds or (field.may_wait and not answers[field.name]):
                continue
            place, _, name = field.binds.rpartition(".")
            (found[place] if place else found)[name] = value_of(field, answers[field.name])
        return found

    def write(self, answers: Mapping[str, str], sections: Mapping[str, str]) -> str:
        """The text: Markdown without a placeholder left, ending in a line end."""
        paragraphs = [self._paragraph(each, answers, sections) for each in self._paragraphs]
        return "\n\n".join(paragraphs) + "\n"

    @property
    def _paragraphs(self) -> list[str]:
        return [each.strip("\n") for each in self.body.strip().split("\n\n")]

    def _paragraph(self, text: str, answers: Mapping[str, str], sections: Mapping[str, str]) -> str:
        alone = _PLACE.fullmatch(text)
        if alone and alone[1] in sections:
            return sections[alone[1]]
        if alone and self.by_name[alone[1]].kind == "text":
            return quoted(answers[alone[1]] or "None.")
        return _PLACE.sub(lambda match: self._inline(match[1], answers), text)

    def _inline(self, name: str, answers: Mapping[str, str]) -> str:
        field, answer = self.by_name[name], answers[name]
        if field.kind == "choice":
            return field.choice(answer).clause
        return escaped(answer) if answer else "none stated."


def load(folder: Path | None = None) -> dict[str, Template]:
    """The shipped templates by name, and those in a folder of the operator's own, which win.

    Raises:
        SettingsError: a file is no template.
    """
    found: dict[str, Template] = {}
    for place in (SHIPPED, folder):
        if place is not None and place.is_dir():
            found |= {file.stem: read(file) for file in sorted(place.glob("*.md"))}
    return found


def common_fields() -> tuple[Field, ...]:
    """The questions that templates share."""
    shared = tomllib.loads((SHIPPED / _COMMON).read_text(encoding="utf-8"))
    return tuple(_field(each, {}) for each in shared["fields"])


def template_named(known: Mapping[str, Template], name: str) -> Template:
    """One of them. Raises NotFound."""
    if name not in known:
        raise NotFound(f"there is no template {name}", hint=f"templates: {', '.join(known)}")
    return known[name]


def read(file: Path) -> Template:
    """Reads a template file.

    Raises:
        SettingsError: it is none; the message says what is missing.
    """
    try:
        text = file.read_text(encoding="utf-8")
        shared = (SHIPPED / _COMMON).read_text(encoding="utf-8")
        _, head, body = re.split(r"^\+\+\+\n", text, maxsplit=2, flags=re.MULTILINE)
        front = tomllib.loads(head)
        common = {each["name"]: each for each in tomllib.loads(shared)["fields"]}
        template = Template(
            name=file.stem,
            label=front["label"],
            version=front["version"],
            summary=front["summary"],
            fields=tuple(_field(each, common) for each in front["fields"]),
            body=body,
            sha256=hashlib.sha256((shared + text).encode()).hexdigest(),
        )
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise SettingsError(
            f"{file} is no template: {error}", hint="take one of the shipped ones for a pattern"
        ) from error
    _check(template, file)
    return template


def escaped(text: str) -> str:
    """A line that Markdown takes for plain text."""
    return re.sub(r"([\\`*_\[\]<>|#&~!])", r"\\\1", text)


def quoted(text: str) -> str:
    """Text of several lines as a block quote."""
    return "\n".join(f"> {line}".rstrip() for line in text.split("\n"))


def _field(written: dict[str, Any], common: Mapping[str, dict[str, Any]]) -> Field:
    merged = {**common[written["use"]], **written} if "use" in written else dict(written)
    merged.pop("use", None)
    choices = tuple(Choice(**each) for each in merged.pop("choices", ()))
    field = Field(**merged, choices=choices or _codes(merged))
    if field.kind not in KINDS:
        raise ValueError(f"{field.name} is of no known kind: {field.kind}")
    if field.default:
        normal(field, field.default)
    return field


def _codes(written: Mapping[str, Any]) -> tuple[Choice, ...]:
    place, _, name = written.get("binds", "").partition(".")
    if place != "terms" or written["kind"] != "choice":
        return ()
    labels = _LABELS.get(name, {})
    return tuple(
        Choice(value, labels.get(value, value.replace("-", " ").capitalize()), value)
        for value in CODES[name]
        if not value.startswith("plug-in")  # what only some have is written into a draft by hand
    )


def _check(template: Template, file: Path) -> None:
    if not _NAME.fullmatch(template.name):
        raise SettingsError(f"{file}: name it by lower-case letters, digits and hyphens")
    known = {*template.by_name, *SECTIONS}
    used = set(_PLACE.findall(template.body))
    if unknown := used - known:
        raise SettingsError(f"{file} has no field {sorted(unknown)[0]}, which its text names")
    bound = {each.binds for each in template.fields}
    needed = {"title", "purpose", "data_exposure", "shared", "expected_outcome", "model"}
    if missing := (needed - bound) | (set(SECTIONS) - used):
        raise SettingsError(f"{file} lacks {', '.join(sorted(missing))}")
