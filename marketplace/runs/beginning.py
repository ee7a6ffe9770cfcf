"""When a run may begin, as which generation of its name, and what that brings about."""

from __future__ import annotations

import re

from sqlalchemy.orm import Session

from contracts import Contracts
from contracts.training import State
from marketplace.agreements.standing import is_in_force
from marketplace.errors import Conflict, InvalidInput
from marketplace.storage.models import Agreement

_NAME = re.compile(r"[a-z0-9.-]{1,63}")
UNDO = (
    "Nothing takes a run off the chain. One that nobody funds pays nobody, and ends with its "
    "agreement."
)


def must_be_possible(session: Session, agreement: Agreement, name: str, now_s: int) -> None:
    """Refuses what no contract has to be asked about.

    Raises:
        Conflict: the agreement is not in force.
        InvalidInput: no name for a run.
    """
    if not is_in_force(session, agreement, now_s):
        raise Conflict(
            "the agreement is not in force",
            hint="wait until all have signed; one that is suspended has to be resumed, and one "
            "that is over needs a new one",
        )
    if not _NAME.fullmatch(name):
        raise InvalidInput(
            f"{name!r} cannot be the name of a run",
            hint="1 to 63 lower-case letters, digits, hyphens and dots",
        )


async def next_generation(contracts: Contracts, agreement: bytes, name: str) -> int:
    """1, or one more than that of the finished run of this name.

    Raises:
        Conflict: the latest run of this name is not over.
    """
    latest = await contracts.training.run_named(agreement, name)
    if not any(latest):
        return 1
    run = await contracts.training.run(latest)
    if run.state != State.FINISHED:
        raise Conflict(
            f"a run {name} is under way already",
            hint="choose another name; this one may be used again when that run is over",
        )
    return run.generation + 1


def effect_of(name: str, generation: int) -> str:
    """What beginning a run brings about, and how to undo it."""
    anew = (
        f" as its generation {generation}; what was trained and earned before stays as it is"
        if generation > 1
        else ""
    )
    return f"Begins {name}{anew}: round 0 opens for the nodes that are enrolled then. {UNDO}"
