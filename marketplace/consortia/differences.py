"""What changed between two versions: word by word in the text, side by side in the terms."""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final

from marketplace.agreements.fields import Field, answer_of
from marketplace.agreements.templating import Template
from marketplace.consortia import plain
from marketplace.storage.models import DraftVersion

# Words, runs of white space, and single other characters.
_PIECES: Final = re.compile(r"\w+|\s+|[^\w\s]")


@dataclass(frozen=True, slots=True)
class Piece:
    """A stretch of text: same, removed or added."""

    change: str
    text: str


@dataclass(frozen=True, slots=True)
class Passage:
    """One or more lines before and after; `same` when there is nothing to look at."""

    same: bool
    before: tuple[Piece, ...]
    after: tuple[Piece, ...]


def compare(
    before: DraftVersion, after: DraftVersion, templates: Mapping[str, Template]
) -> dict[str, Any]:
    """Both kinds of differences, as JSON: `terms` (rows) and `text` (passages)."""
    return {
        "from": before.number,
        "to": after.number,
        "terms": changed_terms(before.draft, after.draft, _fields(after, templates)),
        "text": [asdict(each) for each in passages(before.document, after.document)],
    }


def passages(before: str, after: str) -> list[Passage]:
    """The text by lines; where these differ, by words."""
    old, new = before.split("\n"), after.split("\n")
    matcher = difflib.SequenceMatcher(None, old, new, autojunk=False)
    found = []
    for tag, a, b, c, d in matcher.get_opcodes():
        left, right = "\n".join(old[a:b]), "\n".join(new[c:d])
        if tag == "equal":
            same = (Piece("same", left),)
            found.append(Passage(True, same, same))
        else:
            found.append(Passage(False, *words(left, right)))
    return found


def words(before: str, after: str) -> tuple[tuple[Piece, ...], tuple[Piece, ...]]:
    """Both sides of a passage in pieces."""
    old, new = _PIECES.findall(before), _PIECES.findall(after)
    left: list[Piece] = []
    right: list[Piece] = []
    for tag, a, b, c, d in difflib.SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
        if a < b:
            left.append(Piece("same" if tag == "equal" else "removed", "".join(old[a:b])))
        if c < d:
            right.append(Piece("same" if tag == "equal" else "added", "".join(new[c:d])))
    return tuple(left), tuple(right)


def changed_terms(
    before: Mapping[str, Any], after: Mapping[str, Any], fields: Mapping[str, Field]
) -> list[dict[str, str]]:
    """What the message says otherwise: `name`, `label`, `before`, `after`."""
    old, new = _flat(before), _flat(after)
    return [
        {
            "name": name,
            "label": fields[name].label
            if name in fields
            else name.rpartition(".")[2].replace("_", " "),
            "before": _shown(fields.get(name), old.get(name, "")),
            "after": _shown(fields.get(name), new.get(name, "")),
        }
        for name in dict.fromkeys([*old, *new])
        if old.get(name) != new.get(name)
    ]


def _fields(version: DraftVersion, templates: Mapping[str, Template]) -> dict[str, Field]:
    template = templates.get(version.proposal["template"], plain.form())
    return {each.binds or each.name: each for each in template.fields}


def _shown(field: Field | None, value: str) -> str:
    """As the form has it, with its unit: tokens and not wei, days and not seconds."""
    answer = answer_of(field, value) if field else None
    if field is None or answer is None:
        return value
    if field.kind == "choice":
        return field.choice(answer).label
    unit, _, of_zero = field.unit.partition("; 0: ")
    if answer == "0" and of_zero:
        return of_zero
    return f"{answer} {unit.removesuffix(' at most').removesuffix(' at least')}".strip()


def _flat(draft: Mapping[str, Any]) -> dict[str, str]:
    found: dict[str, str] = {}
    bound: Sequence[str] = ("title", "duration_days", "trust_domain")
    for name in bound:
        found[name] = str(draft[name])
    for group in ("terms", "bylaws"):
        found |= {f"{group}.{name}": str(value) for name, value in draft[group].items()}
    for party in draft["parties"]:
        wallet = party["wallet"] if int(party["wallet"], 16) else "wallet not named"
        found[f"party {party['organization']}"] = f"{wallet}, weight {party['weight']}"
    return found
