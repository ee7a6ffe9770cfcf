"""Drafts without a template, as a form: the questions, and what the answers mean for a proposal.

The form asks for what the templates' common questions ask for; all other terms and bylaws are lines
of TOML in two further fields. What somebody set there or in a file stays, whoever proposes next.
"""

from __future__ import annotations

import dataclasses
import functools
import tomllib
from collections.abc import Mapping
from typing import Any, Final

from marketplace.agreements.fields import Field, answer_of
from marketplace.agreements.templating import BadAnswers, Template, common_fields
from marketplace.agreements.terms import defaults
from marketplace.consortia.proposals import OpenParty, Proposal

NAME: Final = "plain"
_GROUP: Final = "Further rules"
_FURTHER: Final = {
    "terms": "further_terms",
    "bylaws": "further_bylaws",
}
_HELP: Final = {
    "terms": "A line each, such as quorum_grace = 5000. Times are in the unit that "
    "marketplace/README.md gives them; what is left out has its default, and what is "
    "written here wins over the answers above.",
    "bylaws": "A line each, such as answer_time = 3600.",
}
_OWN: Final = ("parties", "trust_domain", "not_before")


@functools.cache
def form() -> Template:
    """The questions; a template without a text of its own."""
    fields = tuple(each for each in common_fields() if each.binds)
    further = tuple(
        Field(
            name=name,
            label=f"Further {place}",
            kind="text",
            group=_GROUP,
            help=_HELP[place],
            required=False,
        )
        for place, name in _FURTHER.items()
    )
    return Template(
        name=NAME,
        label="Without a template",
        version=1,
        summary="Your own words under each heading, and every term open to you.",
        fields=(*(_worded(each) for each in fields), *further),
        body="",
        sha256="",
    )


def answers_of(proposal: Mapping[str, Any]) -> dict[str, str]:
    """What the form shows of a plain proposal."""
    fields = proposal["fields"]
    rest = {place: dict(fields.get(place) or {}) for place in _FURTHER}
    unsaid = defaults(len(proposal["parties"]))
    found: dict[str, str] = {}
    for field in form().fields:
        place, _, name = field.binds.rpartition(".")
        source = unsaid[place] | rest[place] if place else fields
        if not field.binds or name not in source:
            continue
        answer = answer_of(field, source[name])
        if answer is not None:  # or it stays among the further ones
            found[field.name] = answer
            rest.get(place, {}).pop(name, None)
    return found | {_FURTHER[place]: _toml(values) for place, values in rest.items()}


def proposal_of(
    answers: Mapping[str, str], parties: list[OpenParty], before: Mapping[str, Any] | None
) -> Proposal:
    """The proposal that answers make.

    Args:
        answers: one for each question.
        parties: who takes part.
        before: the fields of the version that it changes; what no question asks for stays.

    Raises:
        BadAnswers: names what cannot be meant.
    """
    template = form()
    normal = template.answered(answers)
    fields = template.draft_fields(normal)
    wrong: dict[str, str] = {}
    for place, name in _FURTHER.items():
        try:
            further = tomllib.loads(normal[name])
        except tomllib.TOMLDecodeError as error:
            wrong[name] = f"is not TOML: {error}"
            continue
        # What is written out wins: a plug-in's rule can be named there and nowhere else.
        fields[place] |= further
    if wrong:
        raise BadAnswers(wrong)
    kept = {name: value for name, value in (before or {}).items() if name not in _OWN}
    return Proposal(fields=kept | fields, parties=parties)


def _worded(field: Field) -> Field:
    """With an answer to be written rather than one to be kept, where it is about the substance."""
    return dataclasses.replace(field, default="") if field.kind == "text" else field


def _toml(values: Mapping[str, Any]) -> str:
    lines = []
    for name, value in values.items():
        shown = str(value).lower() if isinstance(value, bool | int) else f'"{value}"'
        lines.append(f"{name} = {shown}")
    return "\n".join(lines)
