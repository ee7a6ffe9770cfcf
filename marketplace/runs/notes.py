"""Projects and experiments: what people write beside their runs, to find and compare them."""

from __future__ import annotations

from collections.abc import Collection
from typing import Annotated, Any, NamedTuple

import sqlalchemy as sa
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy.orm import Session

from marketplace.access import Caller, visible
from marketplace.errors import NotAllowed
from marketplace.runs.readmodel import run_seen
from marketplace.storage.models import Event, RunNote

Tag = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9._-]{0,39}$")]
Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9_][A-Za-z0-9_.-]{0,63}$")]
Text = Annotated[str, Field(max_length=200, pattern=r"^[^\x00]*$")]
# Not bigger than JSON numbers are exact in every program.
Number = Annotated[int, Field(gt=-(2**53), lt=2**53)]
Fraction = Annotated[float, Field(allow_inf_nan=False)]


class Note(BaseModel):
    """An experiment in words. All of it may be empty."""

    model_config = ConfigDict(extra="forbid")

    project: str = Field(default="", max_length=80, pattern=r"^[^\x00-\x1f]*$")
    description: str = Field(default="", max_length=4_000, pattern=r"^[^\x00]*$")
    tags: list[Tag] = Field(default=[], max_length=16)
    hyperparameters: dict[Name, bool | Number | Fraction | Text] = Field(default={}, max_length=64)


def write(session: Session, caller: Caller, run_id: str, note: Note, now_s: int) -> dict[str, Any]:
    """Replace what is written about a run.

    Raises:
        NotFound: the caller sees no such run.
        NotAllowed: he may look, but neither takes part in it nor runs nodes of a party.
    """
    run = run_seen(session, caller, run_id)
    wallets = {party.wallet for party in run.agreement.parties}
    # Those who run a party's nodes know best what was tried. Auditors look and change nothing.
    writers = {caller.signed_in} | caller.operates_for
    if not caller.is_admin and not writers & wallets:
        raise NotAllowed("only parties of the agreement and their operators write about its runs")
    row = session.get(RunNote, run_id) or RunNote(run_id=run_id)
    row.project, row.description = note.project.strip(), note.description.strip()
    row.tags, row.hyperparameters = sorted(set(note.tags)), dict(note.hyperparameters)
    row.updated_by, row.updated_s = caller.signed_in, now_s
    session.add(row)
    session.flush()
    return _shown(row)


def notes_of(session: Session, run_ids: Collection[str]) -> dict[str, dict[str, Any]]:
    """What is written about these runs, by id; an empty note where there is nothing."""
    rows = session.scalars(sa.select(RunNote).where(RunNote.run_id.in_(run_ids)))
    found = {row.run_id: _shown(row) for row in rows}
    empty = Note().model_dump() | {"updated_by": None, "updated_s": None}
    return {run_id: found.get(run_id, empty) for run_id in run_ids}


class Labels(NamedTuple):
    """What a run is filed under."""

    run_id: str
    project: str
    tags: list[str]


def labels(session: Session, caller: Caller) -> list[Labels]:
    """The labels of all runs that the caller may see and something is written about."""
    seen = sa.select(Event.run_id).where(
        Event.kind == "RunCreated", visible(caller, Event.agreement_id)
    )
    query = sa.select(RunNote.run_id, RunNote.project, RunNote.tags)
    return [Labels(*row) for row in session.execute(query.where(RunNote.run_id.in_(seen)))]


def _shown(row: RunNote) -> dict[str, Any]:
    return {
        "project": row.project,
        "description": row.description,
        "tags": row.tags,
        "hyperparameters": row.hyperparameters,
        "updated_by": row.updated_by,
        "updated_s": row.updated_s,
    }
