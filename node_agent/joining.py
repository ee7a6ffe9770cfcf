"""What has to be there before a node takes part: run, enrollment, lease, files."""

from __future__ import annotations

import asyncio
import logging
import shutil
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path
from typing import TypeVar

from contracts import Contracts
from contracts.errors import ChainError
from contracts.messages import Terms
from node_agent import lease
from node_agent.config import Settings
from node_agent.engine.context import METERING_COMMON
from node_agent.engine.store import Store, file_root
from node_agent.errors import ConfigError, ParameterError
from node_agent.journal import Journal
from node_agent.merge.registry import find_rule
from node_agent.merge.rules import Rule
from node_agent.models.library import Library
from node_agent.operations.storage import EXCHANGE, MODELS
from node_agent.parameters.format import ParameterFile
from node_agent.parameters.schema import Schema, schema_hash

log = logging.getLogger(__name__)

T = TypeVar("T")
METERING = ("equal", "size", "common", "local")  # by Terms.metering
TOPOLOGIES = ("mesh", "star")  # by Terms.topology
_LOOK_AGAIN_S = 2.0  # for a run or an enrollment that is not on chain yet


async def find_run(contracts: Contracts, settings: Settings) -> bytes:
    """The id of the run that the settings name; waits until it is created."""
    if settings.run.startswith("0x"):
        return bytes.fromhex(settings.run[2:])
    if not settings.run:
        raise ConfigError("no run is named", hint="set `run` to its name under the agreement")
    agreement = bytes.fromhex(settings.agreement[2:])

    async def look() -> bytes | None:
        found = await contracts.training.run_named(agreement, settings.run)
        return found if any(found) else None

    return await _until_there(f"the run {settings.run} to be created", look)


async def find_registration(contracts: Contracts, settings: Settings, address: str) -> int:
    """The number this node's key is registered under; waits until it is enrolled."""
    agreement = bytes.fromhex(settings.agreement[2:])

    async def look() -> int | None:
        for entry in reversed(await contracts.consortium.registrations(agreement)):
            if (entry.key, entry.spiffe_id) == (address, settings.spiffe_id) and not entry.until:
                return entry.number
        return None

    return await _until_there(f"{settings.spiffe_id} to be enrolled with key {address}", look)


async def _until_there(what: str, look: Callable[[], Awaitable[T | None]]) -> T:
    told = False
    while True:
        with suppress(ChainError):
            found = await look()
            if found is not None:
                return found
        if not told:
            log.info("Waiting for %s.", what)
        told = True
        await asyncio.sleep(_LOOK_AGAIN_S)  # an event subscription would save nothing here


def check_lease(settings: Settings, journal: Journal, run_id: bytes) -> None:
    """A run needs a valid lease to be joined; one that was joined goes on without."""
    if settings.marketplace_url is None or journal.fact(f"joined {run_id.hex()}"):
        return
    lease.usable(settings.lease, settings.lease_key, settings.spiffe_id, time.time())
    journal.keep(f"joined {run_id.hex()}", "yes")


def check_terms(terms: Terms) -> Rule:
    """Refuse a run whose rules this node agent does not know, before it spoils a round.

    Returns its merge rule.
    """
    for what, code, known in (
        ("metering", terms.metering, METERING),
        ("topology", terms.topology, TOPOLOGIES),
    ):
        if code >= len(known):
            raise ConfigError(
                f"the run's terms ask for the {what} number {code}, which this node agent does "
                f"not know; it knows {', '.join(known)}",
                hint="install the version of the node agent that the other organizations run",
            )
    return find_rule(terms.merge_rule, terms.merge_parameter)


def check_files(settings: Settings, terms: Terms, start_root: bytes, store: Store) -> Schema:
    """Hold the operator's files to the hashes in the terms; returns the model's schema.

    ``start_root``: of the model that the run starts from. It is the terms', unless the run
    continues another one; then its file is looked for in what this node has kept of that run, and
    otherwise fetched from whoever has it.
    """
    initial = settings.initial_parameters
    if initial is None or not initial.is_file():
        raise ConfigError(
            f"the initial parameters {initial or ''} are missing",
            hint="set `initial_parameters` to the file that the agreement names by its hash",
        )
    _check_root("initial parameters", initial, terms.initial_root)
    schema = ParameterFile.open(initial).schema
    if schema_hash(schema) != terms.schema_hash:
        raise ParameterError("the initial parameters do not have the schema of the terms")
    if terms.metering == METERING_COMMON:
        if settings.validation is None or not settings.validation.is_file():
            raise ConfigError(
                "the agreed validation set is missing",
                hint="pay is measured on it: set `validation` to the file the agreement names",
            )
        _check_root("validation set", settings.validation, terms.validation_root)
    if store.find(start_root) is None:
        start = initial if start_root == terms.initial_root else _kept(settings, start_root)
        if start is None:
            log.info("The run goes on from a model that is not here: peers are asked for it.")
        else:
            scratch = store.scratch(0, "initial")
            shutil.copyfile(start, scratch)
            store.adopt(scratch, 0, start_root)
    return schema


def _kept(settings: Settings, root: bytes) -> Path | None:
    """The file of a finished run's model, in what this node has of it."""
    found = list((settings.folder / EXCHANGE).glob(f"*/round-*/{root.hex()}.safetensors"))
    for model in Library(settings.folder / MODELS).all():
        if model.card.merged_root == "0x" + root.hex():
            found.append(model.open().path)
    return next((path for path in found if file_root(path) == root), None)


def _check_root(what: str, path: Path, expected: bytes) -> None:
    found = file_root(path)
    if found != expected:
        raise ParameterError(
            f"{path} is not the {what} of the terms: its BLAKE3 is {found.hex()}",
            hint=f"get the file with BLAKE3 {expected.hex()}",
        )
