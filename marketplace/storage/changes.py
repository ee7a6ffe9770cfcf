"""What a transaction changed, as the session sees it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session
from sqlalchemy.orm.session import ORMExecuteState

# In the `info` of a table whose rows are worked out from public records, or decide nothing: what
# happens there is left out.
UNRECORDED = {"recorded": False}


@dataclass(frozen=True, slots=True)
class Change:
    """A row that was added, changed or deleted, or several by one statement.

    Attributes:
        verb: insert, update or delete.
        table: its name.
        key: the row's primary key, as text; of several rows, the condition that chose them.
        sha256: of the row's new values, or of the statement with its parameters; hexadecimal.
    """

    verb: str
    table: str
    key: str
    sha256: str


class Changes:
    """Collects what a session changes, from now on."""

    def __init__(self, session: Session) -> None:
        self.found: list[Change] = []
        sa.event.listen(session, "after_flush", self._flushed)
        sa.event.listen(session, "do_orm_execute", self._executed)

    def _flushed(self, session: Session, _context: Any) -> None:
        for verb, rows in (
            ("insert", session.new),
            ("update", [row for row in session.dirty if session.is_modified(row)]),
            ("delete", session.deleted),
        ):
            for row in rows:
                mapper = sa.inspect(row).mapper
                if not _recorded(mapper.local_table):
                    continue
                values = {
                    column.key: getattr(row, mapper.get_property_by_column(column).key)
                    for column in mapper.local_table.columns
                }
                key = "/".join(str(values[column.key]) for column in mapper.primary_key)
                self.found.append(Change(verb, str(mapper.local_table), key, _digest(values)))

    def _executed(self, state: ORMExecuteState) -> None:
        statement = state.statement
        if not isinstance(statement, sa.Insert | sa.Update | sa.Delete):
            return
        table = statement.table
        if not _recorded(table):
            return
        compiled = statement.compile()
        verb = type(statement).__name__.lower()
        parameters = state.parameters or compiled.params
        chosen = getattr(statement, "whereclause", None)
        key = "" if chosen is None else str(chosen.compile())
        self.found.append(Change(verb, str(table), key[:200], _digest([str(compiled), parameters])))


def name_of(function: Callable[..., Any]) -> str:
    """`agreements.service.Agreements.sign`: a function by its place, without the package."""
    module = getattr(function, "__module__", "").removeprefix("marketplace.")
    return f"{module}.{getattr(function, '__qualname__', type(function).__name__)}"


def _recorded(table: Any) -> bool:
    return bool(table.info.get("recorded", True))


def _digest(value: Any) -> str:
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), default=str)
    return hashlib.sha256(text.encode()).hexdigest()
