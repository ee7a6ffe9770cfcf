"""What people propose, as options and files have it."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path
from typing import Annotated, Any

import typer

from marketplace.errors import InvalidInput

Answers = Annotated[
    list[str] | None,
    typer.Option("--set", help="NAME=VALUE, or NAME=@FILE for a longer text; repeatable"),
]
Note = Annotated[str, typer.Option("--note", help="what you changed, and why")]


def read_answers(given: list[str] | None) -> dict[str, str]:
    """Answers from NAME=VALUE and NAME=@FILE.

    Raises:
        InvalidInput: no equals sign, or a file that cannot be read.
    """
    found = {}
    for each in given or []:
        name, sign, value = each.partition("=")
        if not sign:
            raise InvalidInput(f"{each!r} is not NAME=VALUE")
        if value.startswith("@"):
            try:
                value = Path(value[1:]).read_text(encoding="utf-8")
            except OSError as error:
                raise InvalidInput(f"cannot read {value[1:]}: {error.strerror}") from error
        found[name.strip()] = value
    return found


def with_parties(known: list[dict[str, Any]], given: list[str] | None) -> list[dict[str, Any]]:
    """Parties, with those of ORGANIZATION[:WEIGHT[:WALLET]] added or changed.

    Raises:
        InvalidInput: a weight that is no number.
    """
    found = {each["organization"]: dict(each) for each in known}
    for each in given or []:
        organization, _, rest = each.partition(":")
        weight, _, wallet = rest.partition(":")
        if weight and not weight.isdigit():
            raise InvalidInput(f"{each}: {weight!r} is no weight")
        row = found.setdefault(organization, {"organization": organization})
        row |= {"weight": int(weight)} if weight else {}
        row |= {"wallet": wallet} if wallet else {}
    return list(found.values())


def read_draft(file: Path) -> dict[str, Any]:
    """Reads a draft.

    Raises:
        InvalidInput: cannot be read, or is neither TOML nor JSON.
    """
    try:
        text = file.read_text(encoding="utf-8")
        fields: dict[str, Any] = json.loads(text) if file.suffix == ".json" else tomllib.loads(text)
    except (OSError, ValueError) as error:
        raise InvalidInput(f"{file}: {error}", hint="a TOML or JSON file in UTF-8") from error
    return fields


def proposal_from(file: Path) -> dict[str, Any]:
    """A proposal of a plain draft, as `agreement draft --file` takes it."""
    fields = read_draft(file)
    return {"fields": fields, "parties": fields.pop("parties", [])}
